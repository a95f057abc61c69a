"""What can go wrong, one file for each family of failures."""
