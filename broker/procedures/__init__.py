"""Registered procedures (§ 79 SGB X, § 6 DSG NRW): what may be retrieved or delivered regularly, and how much."""
