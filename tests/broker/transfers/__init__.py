"""Tests of `broker.transfers`."""
