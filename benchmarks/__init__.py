"""Measurements against what people use today. Never run by the test suite as a timed test."""
