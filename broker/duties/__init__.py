"""Duties: what the sides of a transfer have to do by a day, and that it is done."""
