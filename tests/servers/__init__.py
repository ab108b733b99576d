"""Servers that tests need: found, started for one run, and never left running."""
