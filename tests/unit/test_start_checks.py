"""What a start does about files that others of the machine can read."""

from pathlib import Path

import pytest

from bot.start_checks import shut_out_others


def test_what_others_could_read_in_the_state_is_its_owners_alone_afterwards_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    (state / "backups").mkdir(parents=True)
    for path in (state / "nija.db", state / "backups" / "nija-0001.db"):
        path.write_text("x")
        path.chmod(0o644)
    (state / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("not ours")
    before = (tmp_path / "elsewhere").stat().st_mode
    shut_out_others(state, tmp_path / ".env")
    modes = {path.name: path.lstat().st_mode & 0o777 for path in (state, *state.rglob("*")) if not path.is_symlink()}
    assert modes == {"state": 0o700, "backups": 0o700, "nija.db": 0o600, "nija-0001.db": 0o600}
    assert (tmp_path / "elsewhere").stat().st_mode == before
    assert "now they are their owner's alone" in caplog.text
    caplog.clear()
    shut_out_others(state, tmp_path / ".env")
    assert not caplog.records


def test_an_env_file_that_others_can_read_is_named_with_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("KRAKEN_MASTER_API_KEY=x")
    dotenv.chmod(0o640)
    (tmp_path / "state").mkdir(mode=0o700)
    shut_out_others(tmp_path / "state", dotenv)
    assert f"chmod 600 {dotenv}" in caplog.text
    assert dotenv.stat().st_mode & 0o777 == 0o640
    dotenv.chmod(0o600)
    caplog.clear()
    shut_out_others(tmp_path / "state", dotenv)
    assert not caplog.records
