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
}


def throws_away(state_dir: Path, environ: Mapping[str, str]) -> str:
    """The platform on which this directory would not last; empty when nothing speaks against it."""
    if environ.get(HEROKU):
        return "Heroku"
    if state_dir.stat().st_dev != Path("/").stat().st_dev:
        return ""  # a disk of its own: a mounted volume
    return next((platform for name, platform in WITH_VOLUMES.items() if environ.get(name)), "")
