"""Platforms whose disk is thrown away at every deploy or restart, and all orders and positions with it."""

from collections.abc import Mapping
from pathlib import Path

# Such a platform says its name in a variable. Heroku has no other disk; the others can mount one that lasts.
HEROKU = "DYNO"
WITH_VOLUMES = {
    "RAILWAY_ENVIRONMENT": "Railway",
    "RENDER": "Render",
    "K_SERVICE": "Cloud Run",
    "FLY_APP_NAME": "Fly.io",
    "ECS_CONTAINER_METADATA_URI_V4": "Amazon ECS",
}
# Files that Docker and Podman put into every container.
_SIGNS_OF_A_CONTAINER = (".dockerenv", "run/.containerenv")
_ROOT = Path("/")


def throws_away(state_dir: Path, environ: Mapping[str, str]) -> str:
    """The platform on which this directory would not last; empty when nothing speaks against it."""
    if environ.get(HEROKU):
        return "Heroku"
    if _is_mounted(state_dir, _ROOT):
        return ""
    return next((platform for name, platform in WITH_VOLUMES.items() if environ.get(name)), "")


def lasts_as_long_as_the_container(state_dir: Path, *, root: Path = _ROOT) -> bool:
    """Whether this is a container without a volume: its disk outlives a restart, and not a newer image."""
    return any((root / sign).exists() for sign in _SIGNS_OF_A_CONTAINER) and not _is_mounted(state_dir, root)


def _is_mounted(state_dir: Path, root: Path) -> bool:
    """A disk of its own: a mounted volume."""
    return state_dir.stat().st_dev != root.stat().st_dev
