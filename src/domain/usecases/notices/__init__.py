"""Use cases that raise alerts, and deliver notices."""
