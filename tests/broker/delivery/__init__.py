"""Tests of handing over."""
