"""Use cases that remove archives by a profile's policy, bring them back, and protect them from removal."""
