"""What deploys us, looked at without Docker, systemd or a platform: files that are there, times that fit, no secret."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import exit_codes
from bot.settings import Settings
from bot.storage.ephemeral import WITH_VOLUMES
from tests.checks.dockerfile import Step, copies_of, ignored_by, is_sent, stages_of
from tests.checks.forbidden_calls import ROOT

DEPLOY = ROOT / "deploy"
SHUTDOWN_SECONDS = Settings.model_validate({}).shutdown_seconds
SECRETS = ("KEY", "SECRET", "PASSWORD", "TOKEN", "WEBHOOK", "DEADMAN")


@pytest.fixture(scope="module")
def stages() -> list[list[Step]]:
    return stages_of((ROOT / "Dockerfile").read_text(encoding="utf-8"))


def compose(*names: str) -> dict[str, Any]:
    """Services of these files laid over one another, as far as ours do: mappings are joined, the rest replaced."""
    merged: dict[str, Any] = {}
    for name in names:
        _lay_over(merged, yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8")))
    return merged


def _lay_over(base: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            _lay_over(base[name], value)
        else:
            base[name] = value


def seconds(text: object) -> float:
    return float(str(text).removesuffix("s"))


# -- the image --------------------------------------------------------------------------------------------------------
def test_the_image_is_made_in_two_stages_of_one_pinned_base(stages: list[list[Step]]) -> None:
    bases = [stage[0].words[0] for stage in stages]
    assert len(bases) == 2 and len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])


def test_the_image_installs_the_lock_by_its_hashes_and_nothing_else(stages: list[list[Step]]) -> None:
    installs = [step.rest for stage in stages for step in stage if "install " in step.rest and "pip" in step.rest]
    assert len(installs) == 1
    for word in ("--require-hashes", "--no-deps", "--no-build-isolation", "-r /requirements.lock"):
        assert word in installs[0]
    assert not any(re.search(r"\b(curl|wget|apt-get|git)\b", step.rest) for stage in stages for step in stage)


def test_all_that_is_copied_is_there_and_nothing_is_fetched(stages: list[list[Step]]) -> None:
    ignored = ignored_by(ROOT / ".dockerignore")
    for stage in stages:
        assert not [step for step in stage if step.word == "ADD"]
        for sources, _ in copies_of(stage):
            for source in sources:
                assert (ROOT / source).exists(), source
                assert is_sent(source, ignored), source


def test_the_process_of_the_image_is_nobody_special_and_hears_the_signal(stages: list[list[Step]]) -> None:
    last = {step.word: step for step in stages[1]}
    assert last["USER"].rest == "nija"
    assert stages[1].index(last["USER"]) > max(i for i, step in enumerate(stages[1]) if step.word in ("RUN", "COPY"))
    assert last["ENTRYPOINT"].as_list == ["python", "bot.py"]
    assert last["STOPSIGNAL"].rest == "SIGTERM"
    assert last["VOLUME"].rest == "/data"
    assert "/live" in last["HEALTHCHECK"].rest
    assert "python" in Step("CMD", last["HEALTHCHECK"].rest.partition("CMD ")[2]).as_list[0]


def test_no_secret_has_a_place_in_the_image(stages: list[list[Step]]) -> None:
    for step in (step for stage in stages for step in stage if step.word in ("ENV", "ARG")):
        assert not [word for word in SECRETS if word in step.rest.upper()], step


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (".env", False),
        ("config/.env", False),
        (".env.live", False),
        (".git/config", False),
        ("data/nija.db", False),
        ("data-live/nija.log", False),
        ("config/nija.db", False),
        ("bot/__pycache__/app.pyc", False),
        ("tests/bot_process.py", False),
        (".venv/bin/python", False),
        ("bot/console/static/app.css", True),
        ("config/users/retail_kraken.json", True),
        ("paper_exchange/__main__.py", True),
        ("docs/runbook.md", True),
    ],
)
def test_keys_and_state_never_get_into_what_docker_is_given(path: str, sent: bool) -> None:
    assert is_sent(path, ignored_by(ROOT / ".dockerignore")) is sent


def test_the_files_of_the_image_are_enough_for_the_program(stages: list[list[Step]], tmp_path: Path) -> None:
    """Laid out as the image has them, the bot, its console and its paper exchange find all they need."""
    ignored = ignored_by(ROOT / ".dockerignore")
    app = tmp_path / "app"
    app.mkdir()
    for sources, target in copies_of(stages[1]):
        for source in sources:
            _copy(source, app / target, ignored)
    words = {
        "bot.py config show --json": '"trading_mode": "paper"',
        "-m paper_exchange --help": "usage",
        "-m bot.console --help": "usage",
        "check_broker_status.py --help": "usage",
    }
    environ = {"PATH": os.environ.get("PATH", ""), "STATE_DIR": str(tmp_path / "state"), "NIJA_BUILD": "v1"}
    for command, expected in words.items():
        done = subprocess.run(
            [sys.executable, *command.split()],
            cwd=app,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def _copy(source: str, target: Path, ignored: list[str]) -> None:
    if (ROOT / source).is_file():
        shutil.copy(ROOT / source, target)
        return
    for path in (ROOT / source).rglob("*"):
        if path.is_file() and is_sent(str(path.relative_to(ROOT)), ignored):
            place = target / path.relative_to(ROOT / source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


# -- compose ----------------------------------------------------------------------------------------------------------
@pytest.fixture(params=[("compose.yml",), ("compose.yml", "compose.full.yml")], ids=["alone", "full"])
def services(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = compose(*request.param)
    assert set(found["volumes"]) == {
        volume.partition(":")[0]
        for service in found["services"].values()
        for volume in service["volumes"]
        if not volume.startswith((".", "/"))
    }
    services: dict[str, Any] = found["services"]
    return services


def test_services_come_back_by_themselves_and_are_open_on_this_machine_alone(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "healthcheck" in service or "build" in service, f"{name} has neither a check nor our image's"
        assert "build" in service or re.search(r":v?\d+\.\d+", service["image"]), f"{name} is not pinned"


def test_the_bot_has_time_to_stop_and_its_books_a_volume(services: dict[str, Any]) -> None:
    bot = services["nija"]
    assert seconds(bot["stop_grace_period"]) > SHUTDOWN_SECONDS + 10
    assert "state:/data" in bot["volumes"] and bot["environment"]["STATE_DIR"] == "/data"
    assert bot["read_only"] is True and bot["cap_drop"] == ["ALL"] and bot["ulimits"]["core"] == 0
    assert bot["env_file"] == [{"path": "../.env", "required": False}]


def test_what_services_are_given_of_the_project_is_there_and_no_secret_is_written_down(
    services: dict[str, Any],
) -> None:
    for name, service in services.items():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists(), f"{name}: {volume}"
        for variable, value in service.get("environment", {}).items():
            if any(word in variable for word in SECRETS) or "@" in str(value):
                assert "${" in str(value), variable


def test_prometheus_in_compose_is_the_one_that_is_shipped_at_another_address() -> None:
    plain, there = (
        yaml.safe_load((DEPLOY / "prometheus" / name).read_text(encoding="utf-8"))
        for name in ("prometheus.yml", "compose.yml")
    )
    (job,) = there["scrape_configs"]
    full = compose("compose.yml", "compose.full.yml")["services"]["nija"]["environment"]
    assert job["static_configs"][0]["targets"] == [f"nija:{full['METRICS_PORT']}"]
    job["static_configs"] = plain["scrape_configs"][0]["static_configs"]
    assert there == plain


def test_grafana_finds_the_dashboard_and_the_figures() -> None:
    grafana = compose("compose.full.yml")["services"]["grafana"]
    provisioning = DEPLOY / "grafana" / "provisioning"
    boards = yaml.safe_load((provisioning / "dashboards" / "nija.yml").read_text())["providers"]
    assert f"./grafana/nija.json:{boards[0]['options']['path']}/nija.json:ro" in grafana["volumes"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090" and source["type"] == "prometheus"


# -- systemd ----------------------------------------------------------------------------------------------------------
def unit() -> dict[str, list[tuple[str, str]]]:
    """By section, each line; a name may come more than once."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in (DEPLOY / "nija.service").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            section.append((name, value))
    return found


def test_the_unit_gives_time_to_stop_starts_again_and_shuts_others_out() -> None:
    service = dict(unit()["Service"])
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) > Settings.model_validate({}).supervision.watchdog_silence_seconds
    assert float(service["TimeoutStopSec"]) > SHUTDOWN_SECONDS + 10
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == str(exit_codes.WRONG_USE)
    assert service["User"] == "nija" and service["LimitCORE"] == "0" and service["UMask"] == "0077"
    for name, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "PrivateTmp": "yes",
        "ProtectHome": "yes",
        "ReadWritePaths": "/var/lib/nija",
        "StateDirectoryMode": "0700",
    }.items():
        assert service[name] == value


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine")
def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "nija.service").read_text(encoding="utf-8")
    # What the unit names is not installed here.
    for there, here in {
        "/opt/nija/.venv/bin/python": sys.executable,
        "/opt/nija": str(ROOT),
    }.items():
        text = text.replace(there, here)
    (tmp_path / "nija.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "nija.service")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "nija.service" in line]
    assert not said, done.stderr


# -- platforms --------------------------------------------------------------------------------------------------------
def test_platforms_ask_whether_we_live_give_us_time_and_run_us_once() -> None:
    railway = json.loads((DEPLOY / "railway.json").read_text(encoding="utf-8"))
    assert (ROOT / railway["build"]["dockerfilePath"]).is_file()
    assert railway["deploy"]["healthcheckPath"] == "/live"
    assert railway["deploy"]["numReplicas"] == 1
    assert railway["deploy"]["drainingSeconds"] > SHUTDOWN_SECONDS + 10
    (render,) = yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))["services"]
    assert (ROOT / render["dockerfilePath"]).is_file()
    assert (render["healthCheckPath"], render["numInstances"]) == ("/live", 1)
    assert render["maxShutdownDelaySeconds"] > SHUTDOWN_SECONDS + 10
    given = {each["key"]: each for each in render["envVars"]}
    assert given["STATE_DIR"]["value"] == render["disk"]["mountPath"]
    assert not [key for key, each in given.items() if any(word in key for word in SECRETS) and "value" in each]
    assert (ROOT / "Procfile").read_text(encoding="utf-8") == "web: python bot.py\n"


# -- what the page says -----------------------------------------------------------------------------------------------
def test_the_page_explains_each_exit_code_and_each_platform_without_a_disk() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", text, flags=re.MULTILINE))
    codes = {name: value for name, value in vars(exit_codes).items() if name.isupper()}
    assert rows == {str(value): name for name, value in codes.items()}
    for platform in (*WITH_VOLUMES.values(), "Heroku"):
        assert platform in text, platform
