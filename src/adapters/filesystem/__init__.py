"""One data directory: archives, journals, tokens and the audit log as plain files."""
