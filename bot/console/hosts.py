"""Which names the console answers to. A name that is not ours is somebody else's page talking through the browser."""

import re
from collections.abc import Mapping, Sequence

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
LOOPBACK_BINDS = frozenset({"127.0.0.1", "::1", "localhost"})
# Where hosting platforms tell the name that they gave us.
PLATFORM_VARIABLES = ("RAILWAY_PUBLIC_DOMAIN", "RENDER_EXTERNAL_HOSTNAME")
_HOST = re.compile(r"(\[[0-9a-fA-F:]{2,45}\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(:([0-9]{1,5}))?", re.ASCII)


def is_loopback(bind: str) -> bool:
    return bind in LOOPBACK_BINDS


def host_name(header: str) -> str:
    """The name in a Host header, in small letters; empty for what is no host."""
    match = _HOST.fullmatch(header)
    return "" if match is None else match.group(1).lower()


def names_of(bind: str, configured: Sequence[str], environ: Mapping[str, str]) -> frozenset[str]:
    """The names that are answered to; empty = any, because nobody has told which it is."""
    told = {name.lower() for name in configured}
    told |= {environ[name].lower() for name in PLATFORM_VARIABLES if environ.get(name)}
    if is_loopback(bind):
        return LOOPBACK_NAMES | told
    return frozenset(told) | LOOPBACK_NAMES if told else frozenset()
