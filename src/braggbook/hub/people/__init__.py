"""Who people are: passwords, secrets that stand for them, and OpenID providers. No pages and no SQL."""
