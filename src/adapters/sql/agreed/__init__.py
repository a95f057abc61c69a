"""What several servers have agreed on: rules of profiles, the note on their clocks, and the schema of their tables."""
