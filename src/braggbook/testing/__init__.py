"""What tests need and may be used outside: small experiments and projects made by code."""
