"""Two archives held against each other, and what GNU tar makes of one over the other."""
