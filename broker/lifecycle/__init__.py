"""The life of a permitted transfer: its states, their one transition table, its history and its content key."""
