"""Challenges: their design, what is handed in, how it is scored and ranked, and the board."""
