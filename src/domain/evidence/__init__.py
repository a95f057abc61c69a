"""What was proven, line by line, for whoever asks later."""
