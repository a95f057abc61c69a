"""Every setting, named once."""
