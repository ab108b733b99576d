"""The law: consents, necessity, locks and the decision. Pure functions over a dated catalogue.

No I/O but the reading of rows.
"""
