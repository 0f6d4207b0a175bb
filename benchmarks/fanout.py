"""From a master's fill to the last user's order, in the whole product: `python benchmarks/fanout.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fanout_drill.command import main

if __name__ == "__main__":
    raise SystemExit(main())
