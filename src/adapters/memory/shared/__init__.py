"""What several servers share, in the memory of one process: claims on names, and leases."""
