"""Explanations: a decision in plain German or English sentences, made from its findings when asked for."""
