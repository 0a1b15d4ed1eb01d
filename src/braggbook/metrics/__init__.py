"""Metrics: pure functions ``metric(reference, estimate, *, ...)``, and definitions that say exactly what is meant.

Reference comes first, estimate second. A function raises where a metric has no value; a definition
(:mod:`braggbook.metrics.definitions`) says what a challenge takes instead, so that no score is ever NaN.
"""
