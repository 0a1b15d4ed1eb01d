"""Running a stranger's code: walls, a filter for system calls, and a test that tries to break out."""
