"""The output of every command, its help, and its exit codes."""
