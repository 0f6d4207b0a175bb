"""What a drill's bot is given: the operator's configuration, and of the environment only what is listed here.

No key, no password, no address of a database or of anybody who is told something gets in: the list says what does, not
what does not.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from bot.settings.env_source import CONFIG_DIR_VARIABLE, PREFIX

# Of the machine: how programs are found, and the zone and language of what is printed.
OF_THE_MACHINE = frozenset({"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"})
# How the operator trades; a variable of any other section is left out.
SECTIONS = frozenset(
    {
        "RISK", "SCAN", "ORDERS", "COPYING", "MASTERS", "PACE", "BALANCE", "MARKET_WATCH", "BOOKS",
        "SUPERVISION", "KRAKEN", "COINBASE", "OKX", "BINANCE", "ALPACA", "EXCHANGES", "MINIMUM_FUNDED_USD",
        "MULTI_BROKER_INDEPENDENT",
    }
)  # fmt: skip
STRATEGY = {"plugin": "bot.diagnostics.drills.still_strategy:StillStrategy"}
WITHOUT_PREFIX = frozenset({"MULTI_BROKER_INDEPENDENT"})
CYCLE_SECONDS = 1.0
# What is other than the operator has it, by the setting's path; docs/drills.md says why.
CHANGED: Mapping[str, str] = MappingProxyType(
    {
        "trading_mode": "paper",
        "database_url": "",
        "allow_ephemeral": "true",
        "log_level": "INFO",
        "log_json": "false",
        "metrics_port": "0",
        "failpoints": "",
        "test_clock_offset_seconds": "0",
        "console.enabled": "false",
        "notifications.enabled": "false",
        "scaling.mode": "one",
        "supervision.crashed_boots": "0",
        # Nobody looks for entries, so the many markets need not be read.
        "scan.min_daily_volume_usd": "1000000000000",
        "pace.paper.cycle_seconds": f"{CYCLE_SECONDS:g}",
        "alpaca.session": "always_open",
    }
)


def copy_configuration(source: Path, target: Path) -> None:
    """`nija.yaml` with a strategy that never trades, and the users' files, which a drill may then change."""
    (target / "users").mkdir(parents=True)
    if (source / "nija.yaml").is_file():
        written = yaml.load((source / "nija.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader) or {}
    else:
        written = {}
    for master in written.get("masters") or ():
        master.pop("strategy", None)
    written["strategy"] = STRATEGY
    (target / "nija.yaml").write_text(yaml.safe_dump(written, sort_keys=False, allow_unicode=True), encoding="utf-8")
    for file in sorted((source / "users").glob("*.json")):
        shutil.copyfile(file, target / "users" / file.name)


def child_environment(variables: Mapping[str, str], *, config_dir: Path, state_dir: Path) -> dict[str, str]:
    """For the bot of a drill: what is listed of the operator's `variables` (`.env` included), then what is changed."""
    kept = {name: value for name, value in variables.items() if name in OF_THE_MACHINE or passes(name)}
    own = {
        CONFIG_DIR_VARIABLE: str(config_dir),
        "HOME": str(state_dir),
        "PYTHONUNBUFFERED": "1",
        variable_of("state_dir"): str(state_dir),
    }
    return {**kept, **{variable_of(path): text for path, text in CHANGED.items()}, **own}


def passes(name: str) -> bool:
    """Whether a variable says how the operator trades."""
    if name in WITHOUT_PREFIX:
        return True
    path = name.removeprefix(PREFIX).split("__")
    return name.startswith(PREFIX) and path[0] in SECTIONS and path[2:3] != ["STRATEGY"]


def variable_of(path: str) -> str:
    """`pace.paper.cycle_seconds` → `NIJA__PACE__PAPER__CYCLE_SECONDS`."""
    return PREFIX + path.upper().replace(".", "__")
