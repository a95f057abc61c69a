"""The names of one archive by directory, and what GNU tar's renames mean for them."""
