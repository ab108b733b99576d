"""Ersuchen: what a recipient asks for, and how it first asked the person (§ 67a Abs. 2 SGB X)."""
