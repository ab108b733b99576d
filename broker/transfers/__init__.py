"""A transfer's way from receipt to record: stations 1 to 5."""
