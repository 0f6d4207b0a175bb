"""How long a bot with many accounts takes to end after SIGTERM: `python benchmarks/shutdown.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.shutdown_drill import main

if __name__ == "__main__":
    raise SystemExit(main())
