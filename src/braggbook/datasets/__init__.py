"""Datasets: which there are, where their files come from, how they are opened, and how new ones are made."""
