"""The catalogues that this gateway knows: kept by fingerprint, each from its day, shown to whoever asks."""
