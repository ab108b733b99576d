"""Tests of clients, tokens and what a caller may do."""
