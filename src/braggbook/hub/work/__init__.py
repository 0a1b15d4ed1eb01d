"""What evaluates submissions: in processes of their own, which may die."""
