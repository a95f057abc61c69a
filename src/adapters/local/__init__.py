"""Folders and files of the machine that a client or an operator works on."""
