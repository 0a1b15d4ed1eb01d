"""The pages of a challenge, which open from disk and ask nobody anything: the board, and the report of the design."""

from braggbook.challenges.pages.bias import render_bias
from braggbook.challenges.pages.board import MOST_DRAWN, render_board

__all__ = ["MOST_DRAWN", "render_bias", "render_board"]
