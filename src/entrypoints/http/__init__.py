"""The HTTP interface: the original's routes and version 1, as a Starlette application."""
