"""The agencies' dialects and channels: what each kind of office's software receives. Imports schemas only."""
