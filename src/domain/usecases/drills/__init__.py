"""Use cases about restore drills, and rehearsals of them."""
