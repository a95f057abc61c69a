"""What may differ from profile to profile."""
