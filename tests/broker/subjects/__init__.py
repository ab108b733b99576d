"""Tests of broker/subjects."""
