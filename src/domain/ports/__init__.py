"""What the server needs of the world, one page each."""
