"""Tests of adapters/channels/, in the same tree."""
