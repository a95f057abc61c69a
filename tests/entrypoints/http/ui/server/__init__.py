"""Tests of the pages about the server as a whole."""
