"""One metric, one file: the file's name is the name users type."""
