"""Braggbook."""
