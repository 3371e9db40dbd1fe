"""Fuzzing: what is fuzzed, what it starts from, and how it runs."""
