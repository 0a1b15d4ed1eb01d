"""Runs: executing a notebook, recording everything about it, and repeating it."""
