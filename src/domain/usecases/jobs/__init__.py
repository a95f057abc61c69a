"""Use cases that run jobs, ask for runs, and show what became of them."""
