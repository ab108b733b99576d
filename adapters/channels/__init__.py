"""The ways to an office: one file a channel, one entry in `adapters.registry`."""
