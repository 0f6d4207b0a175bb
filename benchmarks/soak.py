"""Many accounts, much trading, and nothing that grows: `python benchmarks/soak.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.soak_drill.command import main

if __name__ == "__main__":
    raise SystemExit(main())
