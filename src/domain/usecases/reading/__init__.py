"""Use cases that look up archives, inventories and members."""
