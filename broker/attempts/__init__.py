"""First-collection attempts (§ 67a Abs. 2 SGB X): that the person was asked first, and what came of it."""
