"""Tests of `broker.duties`."""
