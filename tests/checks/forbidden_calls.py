"""Finds what only the seams may do: reading a clock, sleeping, drawing lots; and waits that never end.

Names are resolved through the imports of the file, so that `from time import time as now` is found as well. A wait
without an end is allowed where a comment on its line says why, as `# lint: waits for work or for the closing None`.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[2]
EXCUSE = "# lint: "

CLOCK = (
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.sleep",
    "time.localtime",
    "time.gmtime",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "asyncio.sleep",
)
CHANCE = ("random.", "secrets.", "uuid.uuid1", "uuid.uuid4", "os.urandom", "os.getrandom")
SURROUNDINGS = ("os.environ", "os.environb", "os.getenv", "os.putenv")

# Where a thing is allowed, by the beginning of the path. Everything else is forbidden everywhere.
ALLOWED: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "bot/seams/": (*CLOCK, *CHANCE),
        "bot/settings/": SURROUNDINGS,
        "bot/environment.py": SURROUNDINGS,
        "paper_exchange/clock.py": CLOCK,
        # A generator of its own, seeded: the market is the same for the same seed.
        "paper_exchange/tape.py": ("random.Random",),
        "paper_exchange/ticks.py": ("random.Random",),
        "paper_exchange/liquidity.py": ("random.Random",),
        # Keys and tokens of the exchange must not be guessable; no test depends on them.
        "paper_exchange/kraken/": ("secrets.token_bytes", "secrets.token_urlsafe"),
        "paper_exchange/okx/": ("secrets.token_bytes", "secrets.token_hex", "secrets.token_urlsafe"),
        "paper_exchange/binance/": ("secrets.choice",),
        "paper_exchange/alpaca/": ("secrets.choice",),
        "paper_exchange/wiring.py": ("secrets.token_urlsafe",),
        # The delays that the exchange makes on purpose.
        "paper_exchange/": ("secrets.compare_digest", "asyncio.sleep"),
    }
)
# Methods that wait for ever when nothing bounds them.
WAITS = frozenset({"join", "get", "wait", "acquire", "result", "communicate"})
BOUNDED_FUNCTIONS = ("subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output")


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def findings_in(directory: str) -> list[Finding]:
    """Everything found in the Python files below a directory of the project."""
    files = sorted((ROOT / directory).rglob("*.py"))
    return [
        found for file in files for found in findings(file.read_text(encoding="utf-8"), str(file.relative_to(ROOT)))
    ]


def findings(source: str, path: str) -> list[Finding]:
    """What is forbidden in this source, were it at this path (from the project's root)."""
    tree = ast.parse(source)
    lines = source.splitlines()
    names = _imported_names(tree)
    found = [Finding(path, node.lineno, f"{name} {_advice(name)}") for node, name in _uses(tree, names, path)]
    found += [
        Finding(path, node.lineno, f"{name} without a time limit may wait for ever")
        for node, name in _endless_waits(tree, names)
        if EXCUSE not in lines[(node.end_lineno or node.lineno) - 1]
    ]
    return sorted(found, key=lambda one: one.line)


def _imported_names(tree: ast.AST) -> dict[str, str]:
    """Local name → the full name it stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _uses(tree: ast.AST, names: Mapping[str, str], path: str) -> Iterator[tuple[ast.expr, str]]:
    """Each mention of something forbidden here; a mention is enough, `sleep = time.sleep` is a way around a call."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        name = _full_name(node, names)
        if name is not None and _matches(name, (*CLOCK, *CHANCE, *SURROUNDINGS)) and not _is_allowed(name, path):
            yield node, name


def _full_name(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """`datetime.datetime.now` for `dt.now` after `from datetime import datetime as dt`; None for what is no import."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        before = _full_name(node.value, names)
        return None if before is None else f"{before}.{node.attr}"
    return None


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(name == pattern or (pattern.endswith(".") and name.startswith(pattern)) for pattern in patterns)


def _is_allowed(name: str, path: str) -> bool:
    return any(path.startswith(place) and _matches(name, allowed) for place, allowed in ALLOWED.items())


def _advice(name: str) -> str:
    if _matches(name, SURROUNDINGS):
        return "is read by the settings alone"
    return "is for the clock and the id source alone"


def _endless_waits(tree: ast.AST, names: Mapping[str, str]) -> Iterator[tuple[ast.Call, str]]:
    # Whatever is awaited can be cancelled from outside.
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or id(node) in awaited:
            continue
        name = _full_name(node.func, names)
        if name in BOUNDED_FUNCTIONS and not any(keyword.arg in ("timeout", None) for keyword in node.keywords):
            yield node, name
        elif node.func.attr in WAITS and not _has_limit(node):
            yield node, f".{node.func.attr}()"


def _has_limit(call: ast.Call) -> bool:
    """A positional argument is a limit, or something else was meant (`"".join(parts)`, `mapping.get(key)`)."""
    if not call.args:
        # `None` as a keyword is `**options`, which cannot be judged here.
        return any(keyword.arg != "block" and not _is_none(keyword.value) for keyword in call.keywords)
    return call.func.attr not in ("join", "wait", "result") or not _is_none(call.args[0])  # type: ignore[attr-defined]


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
