"""The command line: one file for each noun or family of verbs."""
