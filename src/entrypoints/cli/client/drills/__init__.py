"""``tarkeep drill``: points restored to prove that they restore."""
