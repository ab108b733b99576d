"""What is to be published: written with the decision, taken by the relay. Station 6."""
