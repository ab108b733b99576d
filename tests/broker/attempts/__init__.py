"""Tests of first-collection attempts."""
