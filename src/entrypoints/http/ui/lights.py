"""Lights as they are shown: always a shape and a word beside the colour."""

from __future__ import annotations

from ....domain.watching.light import Light

SHAPES = {Light.GREEN: "\u2713", Light.GREY: "\u2013", Light.YELLOW: "!", Light.RED: "\u2715"}
WORDS = {Light.GREEN: "fine", Light.GREY: "unknown", Light.YELLOW: "look at it", Light.RED: "needs you"}
