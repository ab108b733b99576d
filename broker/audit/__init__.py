"""Evidence: who sent what to whom, why it was allowed, what was taken out."""
