"""Tests of the register of procedures."""
