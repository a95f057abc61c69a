"""The ports made of something real: file systems, databases, hash and inflate libraries."""
