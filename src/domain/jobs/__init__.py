"""What a server does by itself: its jobs, when each is due, and what a run came to."""
