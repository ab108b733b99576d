"""Write the pages of the shipped catalogue: ``python -m consent.book docs/law``."""

from __future__ import annotations

import sys
from pathlib import Path

from consent.book.pages import write_pages
from consent.catalogue import load_catalogue

if __name__ == "__main__":
    write_pages(load_catalogue(), Path(sys.argv[1]))
