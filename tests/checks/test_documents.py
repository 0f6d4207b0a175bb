"""What the documents tell people to type exists and works."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from bot.diagnostics.commands import parser
from tests.checks.forbidden_calls import ROOT

# Between back quotes, from the project's directory.
NAMED_FILE = re.compile(r"`((?:tests|bot|paper_exchange|benchmarks|docs|deploy)/[\w./*-]+)(?:::\w+)?`")
# A section of a page, as messages and alert rules name it.
POINTED_AT = re.compile(r"(docs/[a-z-]+\.md)#([\w-]+)")
SOURCES = frozenset({".py", ".yml", ".json", ".js", ".yaml"})
README_LINES = 120
# What stands for a figure or a time in the documents; names and texts may be any.
STAND_INS = {"ID": "1", "N": "5", "TIME": "2026-01-31T12:00Z", "SECONDS": "5"}
# In a fenced block (which may name a language) or between back quotes, perhaps after variables: `X=y ./start.sh`.
COMMAND = re.compile(r"(?:^|(?<!`)`)(?:[A-Z_]+=\S+ )*((?:python3?|\./\S+\.sh|\.ci/run)(?: [^`\n#]*)?)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')


def commands_in(text: str) -> list[str]:
    """Without comments, each once."""
    return sorted({match.group(1).strip() for match in COMMAND.finditer(text)})


def documents() -> Sequence[Path]:
    """What tells people what to type."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CHANGELOG.md"]


def pages() -> Sequence[Path]:
    """The decisions too: they have links and no commands."""
    return [*documents(), *sorted((ROOT / "docs" / "decisions").glob("*.md"))]


@cache
def anchors_of(path: Path) -> frozenset[str]:
    """What a link into this page may name: headings, as whoever shows the page makes them into anchors, and ids."""
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return frozenset(slug(heading) for heading in HEADING.findall(prose)) | frozenset(ANCHOR.findall(prose))


def slug(heading: str) -> str:
    """Small letters, no punctuation but - and _, a hyphen for each blank; of a link its words."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def links_of(path: Path) -> Sequence[tuple[Path, str]]:
    """(page, anchor) of each link to a file of the project; its own page where it names none."""
    found = LINK.findall(path.read_text(encoding="utf-8"))
    return [((path.parent / target).resolve() if target else path, anchor) for target, anchor in found]


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


def words_after_python(command: str) -> list[str]:
    """What stands behind `python`, with something in the place of what the reader has to fill in."""
    return [STAND_INS.get(word, word) for word in shlex.split(command)[1:]]


def programs() -> dict[tuple[str, ...], set[str]]:
    """What is not `bot.py`: each program, and the options that the documents give it."""
    found: dict[tuple[str, ...], set[str]] = {}
    for command in all_commands():
        words = words_after_python(command) if command.startswith("python") else []
        if words and words[0] not in ("-c", "bot.py"):
            program = tuple(words[: 2 if words[0] == "-m" else 1])
            found.setdefault(program, set()).update(word for word in words[len(program) :] if word.startswith("--"))
    return found


def lines_of_bot() -> list[tuple[str, ...]]:
    """What stands behind `bot.py`."""
    found = {tuple(words_after_python(command)) for command in all_commands() if command.startswith("python")}
    return sorted(words[1:] for words in found if words[0] == "bot.py" and len(words) > 1)


@pytest.mark.parametrize(("program", "options"), programs().items(), ids=lambda each: " ".join(sorted(each)))
def test_every_program_in_the_documents_knows_its_options(
    program: Sequence[str], options: set[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, *program, "--help"],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "STATE_DIR": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [option for option in sorted(options) if option not in done.stdout] == []


@pytest.mark.parametrize("words", lines_of_bot(), ids=" ".join)
def test_every_line_for_bot_py_in_the_documents_is_understood(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands there, with all that the command wants; the name of a command alone may stand for it."""
    try:
        understood = parser().parse_args(list(words))
    except SystemExit as ended:
        problem = capsys.readouterr().err
        if ended.code == 0:
            return  # --help
        assert len(words) == 1, problem
        assert "required" in problem, problem
    else:
        assert understood.run is not None or words[0].startswith("--")


def test_a_line_that_the_program_does_not_understand_is_seen() -> None:
    for words in (["halts", "--flaten"], ["limits", "--account"], ["no-such-command"]):
        with pytest.raises(SystemExit):
            parser().parse_args(words)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target, anchor in links_of(path):
        assert target.exists(), target
        assert not anchor or anchor in anchors_of(target), f"{target.name} has no #{anchor}"


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(path: Path) -> None:
    named = NAMED_FILE.findall(path.read_text(encoding="utf-8"))
    assert [name for name in named if not list(ROOT.glob(name.partition("::")[0]))] == []


def test_what_the_program_and_its_alert_rules_point_at_is_there() -> None:
    sources = [path for folder in ("bot", "deploy") for path in (ROOT / folder).rglob("*.*") if path.suffix in SOURCES]
    pointed = {found for path in sources for found in POINTED_AT.findall(path.read_text(encoding="utf-8"))}
    assert len(pointed) > 10
    assert [f"{page}#{anchor}" for page, anchor in sorted(pointed) if anchor not in anchors_of(ROOT / page)] == []


def test_headings_are_made_into_anchors_as_pages_are_shown() -> None:
    assert slug("Alert: `account_lost`") == "alert-account_lost"
    assert slug("Orders: owed, not known, contradictory") == "orders-owed-not-known-contradictory"
    assert slug("S - Console and security") == "s---console-and-security"


def test_every_page_can_be_reached_from_the_readme() -> None:
    """Over other pages too; a page that nobody links to is read by nobody."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        linked = {target for target, _ in links_of(page) if target.suffix == ".md" and target.exists()}
        waiting += linked - reached
    assert sorted(str(path.relative_to(ROOT)) for path in documents() if path not in reached) == []
