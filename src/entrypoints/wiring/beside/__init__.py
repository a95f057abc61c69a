"""What a server keeps beside its archives and their catalog."""
