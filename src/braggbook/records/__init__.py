"""What an archive holds of a run, a dataset or a board, and the ways there and back."""
