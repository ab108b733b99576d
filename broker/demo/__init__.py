"""A day in the Kreis, played through the service's own HTTP API. Part of no role."""
