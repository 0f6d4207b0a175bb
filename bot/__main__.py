"""`python -m bot`, the same as `python bot.py`."""

from bot.environment import run

if __name__ == "__main__":
    run("bot.app", started_as=("-m", "bot"))
