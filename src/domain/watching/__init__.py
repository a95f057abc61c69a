"""Whether everything is as it should be: archives that were to come, and what they say about a profile."""
