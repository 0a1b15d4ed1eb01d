"""What JupyterLab loads."""
