"""Models of every file that Braggbook owns; each has a version and a page in docs/formats/."""
