"""`python -m dancekit`."""

from __future__ import annotations

import sys

from dancekit.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
