"""What every request goes through: sessions, protection, rendering, errors."""
