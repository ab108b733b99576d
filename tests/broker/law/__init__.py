"""Tests of the law's catalogues at the gateway."""
