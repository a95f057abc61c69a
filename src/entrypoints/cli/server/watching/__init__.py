"""Commands that say whether everything is as it should be."""
