"""How our models are made: corpus, features, fit, export and honest figures, in one command."""
