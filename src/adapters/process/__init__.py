"""This process: its clock, ids, threads, locks and hashes."""
