"""What lies where: the package beside its script, and nothing in the repository that belongs to one installation."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.checks.forbidden_calls import ROOT

# State, logs, keys and environments, wherever they lie. `.env.example` holds names and no values.
BELONGS_TO_ONE_INSTALLATION = re.compile(
    r"(^|/)(data|\.venv|\.venv-peers|__pycache__|\.hypothesis)/"
    r"|(^|/)(\.env|lock|endpoint\.json)$"
    r"|(^|/)(kraken_nonce_|nija\.log)"
    r"|\.(db|db-wal|db-shm|sqlite|pem|key|p12|pyc)$"
)
SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:EC |RSA |OPENSSH )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{60,}"),
    # A Kraken secret is 64 bytes in base64, which is this long and ends like this.
    "a Kraken secret": re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])"),
    "a Coinbase key": re.compile(r"organizations/[0-9a-f]{8}-[0-9a-f-]{27}/apiKeys/[0-9a-f]{8}-[0-9a-f-]{27}"),
}
# Made up, or published by the venues as the example to check a signature against.
EXAMPLES = ("tests/", "paper_exchange/")


def tracked_files() -> Sequence[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, timeout=30, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name]


@pytest.mark.parametrize("arguments", [("-c", "import bot; print(bot.__file__)"), ("-m", "bot", "--help")])
def test_import_bot_finds_the_package_and_not_the_script_beside_it(arguments: Sequence[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"PATH": "", "STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "bot/__init__.py" in done.stdout or "usage: python bot.py" in done.stdout


def test_pytest_at_the_root_leaves_the_operators_connection_test_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", ".", "--ignore=tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "test_kraken_connection_live" not in done.stdout + done.stderr
    # 5: nothing was collected, and nothing went wrong on the way.
    assert done.returncode == 5, done.stdout + done.stderr


def test_no_state_no_log_and_no_environment_is_in_the_repository() -> None:
    assert [name for name in tracked_files() if BELONGS_TO_ONE_INSTALLATION.search(name)] == []


@pytest.mark.parametrize(
    "name",
    [".env", "data/nija.db", "kraken_nonce_master.txt", "data/kraken_nonce_user_x.txt", "nija.log", "keys/a.pem"],
)
def test_it_knows_state_when_it_sees_it(name: str) -> None:
    assert BELONGS_TO_ONE_INSTALLATION.search(name)


def test_no_key_is_in_the_repository() -> None:
    found = []
    for name in tracked_files():
        path = ROOT / name
        if name.startswith(EXAMPLES) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name} holds {what}" for what, pattern in SECRETS.items() if pattern.search(text)]
    assert found == []


def test_it_knows_keys_when_it_sees_them() -> None:
    assert SECRETS["a Kraken secret"].search("KRAKEN_MASTER_API_SECRET=" + "Ab3/" * 21 + "Qw==")
    uuid = "01234567-89ab-4cde-8f01-23456789abcd"
    assert SECRETS["a Coinbase key"].search(f'"organizations/{uuid}/apiKeys/{uuid}"')
    body = "MHcCAQEEIA" * 8
    assert SECRETS["a private key"].search(f"-----BEGIN EC PRIVATE KEY-----\n{body}\n-----END EC PRIVATE KEY-----")


@pytest.mark.parametrize("name", ["start.sh", "test.sh", ".ci/run"])
def test_what_people_start_can_be_started(name: str) -> None:
    assert (ROOT / name).stat().st_mode & 0o111 == 0o111
    modes = subprocess.run(["git", "ls-files", "-s", name], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert not modes.stdout or modes.stdout.startswith("100755")


def test_every_root_script_is_three_lines_over_a_module() -> None:
    scripts = [path for path in ROOT.glob("*.py") if path.name != "conftest.py"]
    assert len(scripts) >= 7
    for path in scripts:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert (len(lines), lines[0]) == (3, "from bot.environment import run"), path.name
