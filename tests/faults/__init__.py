"""The instruments of the fault suite: each sees what it is there to see."""
