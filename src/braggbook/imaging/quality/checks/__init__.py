"""The checks, one module a dimension; a new one is a decorated function in its module, and nothing else."""
