"""Tests of the transports: one contract for all."""
