"""What happens before a route: framing, body, guard."""
