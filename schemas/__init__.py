"""The language the agencies speak: message types, identifiers, the XML gate. Imports nothing of ours."""

#: Read at start-up, so that another package called ``schemas`` is never taken for ours.
PROJECT = "amtsbruecke"
