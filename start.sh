#!/bin/sh
# Makes the environment if needed and starts NIJA. Arguments go to bot.py: ./start.sh --for 60
cd "$(dirname "$0")" || exit 1
. ./environment.sh

if [ "$(cat .venv/.installed 2>/dev/null)" != "$(cat requirements.txt requirements-dev.txt | cksum) requirements-dev.txt" ]; then
    make_environment .venv requirements.txt || exit 1
fi
say "Starting NIJA …"
exec .venv/bin/python bot.py "$@"
