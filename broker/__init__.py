"""The service: the only package with a database, a transport and HTTP."""
