"""Tests of the catalogue in German."""
