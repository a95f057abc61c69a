"""What the operator and a start of the server do."""
