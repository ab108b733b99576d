"""The whole way of a transfer, through HTTP alone, on a real database."""
