"""Lessons that come with Braggbook: one file each, named as its tutorial."""
