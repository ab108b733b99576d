"""Tests of `consent.explanation`."""
