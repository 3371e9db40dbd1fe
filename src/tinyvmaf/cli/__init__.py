"""Doors for the shell: one module per command, no logic of their own."""
