"""Which bytes a model is, and whether they are the ones we know."""
