"""The tar format, pure: headers, members, dumpdirs, paths."""
