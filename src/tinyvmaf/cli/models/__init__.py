"""`tinyvmaf models`: one small file per command."""
