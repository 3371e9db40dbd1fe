"""How large the results of every allowed operator are, and how much work it is to compute them: one file per family."""
