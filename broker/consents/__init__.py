"""Consents: recorded, withdrawn, looked up; never changed."""
