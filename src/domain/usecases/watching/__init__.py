"""Whether everything is as it should be."""
