"""Where the outside world comes in: HTTP and the command line."""
