"""What the console is told by its environment: settings and its own passwords, and no key of any brokerage."""

from collections.abc import Mapping

from bot.console.hosts import PLATFORM_VARIABLES
from bot.settings.env_source import BUILD_VARIABLES, CONFIG_DIR_VARIABLE, CONSOLE_VARIABLES, OWN_VARIABLES, PREFIX

# Of the machine, as far as a program needs it.
_PLAIN = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TZ", "PORT", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR"})
_SECRETS_OF_OTHERS = frozenset({"PAPER_EXCHANGE_TOKEN", f"{PREFIX}PAPER__EXCHANGE_TOKEN"})


def console_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that the console may have."""
    known = {*_PLAIN, *OWN_VARIABLES, CONFIG_DIR_VARIABLE, *CONSOLE_VARIABLES, *PLATFORM_VARIABLES, *BUILD_VARIABLES}
    known -= _SECRETS_OF_OTHERS
    return {
        name: value
        for name, value in environ.items()
        if name in known or (name.startswith(PREFIX) and name not in _SECRETS_OF_OTHERS)
    }
