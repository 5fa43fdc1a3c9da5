"""`python -m alagg` is the command `alagg`."""

from __future__ import annotations

import sys

from alagg.cli import main

if __name__ == "__main__":
    sys.exit(main())
