"""Tests of `broker.decisions`."""
