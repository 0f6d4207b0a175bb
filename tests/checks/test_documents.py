"""What the documents tell people to type exists and works."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.checks.forbidden_calls import ROOT

DOCUMENTS = (
    "README.md",
    "docs/architecture.md",
    "docs/books.md",
    "docs/brokers.md",
    "docs/console.md",
    "docs/faults.md",
    "docs/guarantees.md",
    "docs/performance.md",
    "docs/runbook.md",
    "docs/scaling.md",
    "docs/strategies.md",
    "docs/trading.md",
    "CHANGELOG.md",
)
README_LINES = 120
# In a fenced block (which may name a language) or between back quotes, perhaps after variables: `X=y ./start.sh`.
COMMAND = re.compile(r"(?:^|(?<!`)`)(?:[A-Z_]+=\S+ )*((?:python3?|\./\S+\.sh|\.ci/run)(?: [^`\n#]*)?)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def commands_in(text: str) -> list[str]:
    """Without comments, each once."""
    return sorted({match.group(1).strip() for match in COMMAND.finditer(text)})


def documents() -> Sequence[Path]:
    return [ROOT / name for name in DOCUMENTS if (ROOT / name).exists()]


def all_commands() -> list[str]:
    return sorted({command for path in documents() for command in commands_in(path.read_text(encoding="utf-8"))})


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    text = "Run `python3 a.py --json` or:\n```\n./start.sh --for 60   # a minute\nTRADING_MODE=live ./start.sh\n```"
    assert commands_in(text) == ["./start.sh", "./start.sh --for 60", "python3 a.py --json"]


def test_the_readme_is_short_and_names_the_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= README_LINES
    named = " ".join(commands_in(text))
    for command in ("./start.sh", "./test.sh", "check_broker_status.py", "bot.py copies"):
        assert command in named


@pytest.mark.parametrize("command", all_commands())
def test_every_command_in_the_documents_exists(command: str) -> None:
    program, *words = command.split()
    if program.startswith(("./", ".ci")):
        assert os.access(ROOT / program, os.X_OK)
        return
    assert words, command
    if words[0] == "-m":
        assert (ROOT / words[1].replace(".", "/") / "__main__.py").exists() or find_spec(words[1]) is not None
    elif words[0] != "-c":
        assert (ROOT / words[0]).is_file()


def python_commands() -> list[tuple[str, ...]]:
    """Each program with its options, without their values: what `--help` must know."""
    found = {tuple(command.split()[1:]) for command in all_commands() if command.startswith("python")}
    return sorted(words for words in found if words and words[0] != "-c")


@pytest.mark.parametrize("words", python_commands(), ids=" ".join)
def test_every_python_command_in_the_documents_knows_its_options(words: tuple[str, ...], tmp_path: Path) -> None:
    program = list(words[:2]) if words[0] == "-m" else [words[0]]
    rest = words[len(program) :]
    names = [word for word in rest if re.fullmatch("[a-z]+(-[a-z]+)*", word)]
    subcommands = names[:1] if program[-1] == "bot.py" else []
    done = subprocess.run(
        [sys.executable, *program, *subcommands, "--help"],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "STATE_DIR": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for option in (word for word in rest if word.startswith("--")):
        assert option in done.stdout


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
