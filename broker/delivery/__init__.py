"""Station 7: handing over, by the inbox or by an adapter's channel, and what comes back."""
