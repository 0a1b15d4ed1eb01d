"""What Binder builds this project from, what can be wrong with it, and the links that open notebooks there."""
