"""The experiment notebook: its contract, parameters and declared results."""
