"""
What the client's use cases need: a server, a local folder, a memory between runs, and programs that dump and extract.

Like the server's ports (`domain.ports`) these are protocols, with the promises in their docstrings. Errors are those of
`domain.errors`.
"""
