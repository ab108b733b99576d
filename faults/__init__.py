"""Break on purpose what a data centre can break, under load, and see what holds: docs/reliability.md."""
