"""Kill the bot with SIGKILL again and again: `python benchmarks/kill9.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.kill_drill.command import main

if __name__ == "__main__":
    raise SystemExit(main())
