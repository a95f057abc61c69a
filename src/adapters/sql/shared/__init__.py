"""What several servers share beside archives, in the database of their catalog: tokens, for instance."""
