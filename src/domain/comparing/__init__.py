"""Comparing two archives, and predicting what GNU tar makes of one extracted over the other."""
