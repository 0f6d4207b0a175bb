"""`python -m bot`, the same as `python bot.py`."""

from bot.app import main

raise SystemExit(main())
