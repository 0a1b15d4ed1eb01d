"""How good images are for a use: eight scores, every one with the checks and the findings behind it."""

from braggbook.imaging.quality.assess import assess

__all__ = ["assess"]
