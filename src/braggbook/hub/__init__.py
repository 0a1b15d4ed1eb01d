"""The hub: challenges, boards, submissions, datasets and runs as a web application.

Truth stays in files: the design of a challenge, the vault, datasets, run folders. The database knows what files do not:
people, their teams and sessions, the queue, where each submission is, and boards as they were last made.
"""
