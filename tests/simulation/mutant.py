"""What a mutant is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

# While its context is open the bot does it the wrong way.
Mutant = Callable[[], AbstractContextManager[Any]]
