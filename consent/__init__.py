"""The law: consents, necessity, locks and the decision. Pure functions over a dated catalogue; no I/O but reading rows."""
