"""The measurements run, and count rightly."""
