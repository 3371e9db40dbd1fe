"""What the benchmark scripts share: clips to score, child processes that are measured, tables that are written."""
