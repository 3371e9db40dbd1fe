"""Networks made thinner: large convolutions become products of small ones, and are fitted to what they were."""
