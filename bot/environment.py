"""Gets a root script into the project's virtual environment. Standard library only, so that any Python can read it."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NEEDED = ("sqlalchemy", "pydantic", "krakenex", "coinbase", "rich")
NOT_INSTALLED = 3
ALREADY_TRIED = "NIJA_IN_ENVIRONMENT"


def run(module: str) -> None:
    """Run `main()` of a module and exit with what it returns; outside the environment, start over inside it."""
    if sys.version_info < (3, 11) or any(importlib.util.find_spec(name) is None for name in NEEDED):
        _continue_inside()
    sys.exit(importlib.import_module(module).main())


def _continue_inside() -> None:
    python = PROJECT / ".venv" / "bin" / "python"
    if not python.exists() or ALREADY_TRIED in os.environ:
        sys.stderr.write("NIJA is not installed here yet. Run ./start.sh first; it installs and starts it.\n")
        sys.exit(NOT_INSTALLED)
    os.environ[ALREADY_TRIED] = "1"
    os.execv(python, [str(python), *sys.argv])
