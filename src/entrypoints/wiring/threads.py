"""Threads that give way to those that a caller waits for."""

from __future__ import annotations

from ...adapters.process.background import step_back

__all__ = ["step_back"]
