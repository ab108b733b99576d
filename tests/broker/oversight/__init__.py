"""Tests of the officers' reading."""
