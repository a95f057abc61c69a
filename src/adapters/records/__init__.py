"""What is recorded of the members of archives, as files that may be deleted at any time."""
