"""Persons as the service knows them: pseudonyms, the number of their state, and what stops a transfer."""
