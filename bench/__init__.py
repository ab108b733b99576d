"""Measurements: how many transfers a second, how long each takes, and where the time goes. `make bench` runs them."""
