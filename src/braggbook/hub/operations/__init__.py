"""What keeps a hub going: health, metrics, logs, backups."""
