"""What Tarkeep is about, without any I/O, clock, thread or framework."""
