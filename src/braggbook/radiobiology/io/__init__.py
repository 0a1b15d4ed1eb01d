"""Readers and writers of what other programs wrote: Monte Carlo outputs, DNA damage, ion experiments."""
