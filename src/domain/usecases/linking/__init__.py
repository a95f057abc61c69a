"""What each archive builds on is worked out and kept."""
