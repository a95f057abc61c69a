"""Archives in the folders of a data directory: their files, what marks them, and the trash."""
