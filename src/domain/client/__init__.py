"""The client's half: what a machine that makes archives does with a server, behind ports of its own."""
