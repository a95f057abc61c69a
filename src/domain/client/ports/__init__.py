"""All ports of the client."""
