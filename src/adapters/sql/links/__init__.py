"""What each archive builds on, in the SQL catalog: how it is kept, what drops it, and its text."""
