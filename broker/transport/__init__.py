"""How records travel: one contract, an embedded implementation, Kafka beside it."""
