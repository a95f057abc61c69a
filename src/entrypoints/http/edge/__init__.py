"""The steps before a route: framing, body, guard."""
