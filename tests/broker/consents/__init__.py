"""Tests of broker/consents."""
