"""Decisions as those may see them whom they concern, with their explanation."""
