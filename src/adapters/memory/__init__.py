"""Everything in memory: verified fakes for tests, and what the scheme ``memory:`` opens."""
