"""What the pages of datasets and runs show, read from files: no HTTP, no database, nothing that is executed."""
