"""Tests of `broker.lifecycle`."""
