"""What several servers share, in the database of their catalog: claims on names, tokens, the audit log."""
