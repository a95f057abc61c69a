"""Scrubbing: reading stored archives again, so that damage is found while another copy may still exist."""
