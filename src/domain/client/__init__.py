"""The client: what a machine that makes archives does with a server, with ports of its own."""
