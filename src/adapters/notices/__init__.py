"""Channels by which notices leave: webhooks, mail, and whatever Apprise reaches."""
