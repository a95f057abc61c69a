"""The GNU tar of this machine: dumps made and extracted, and what surrounds them."""
