"""The gates of the law, one function each, in the order of `consent.engine`; each quotes the reading it implements."""
