#!/bin/sh
# All checks, as they also run before anything is merged. Arguments go to pytest: ./test.sh -k copying
cd "$(dirname "$0")" || exit 1
. ./environment.sh

step() { say ""; say "== $*"; }

step "environments"
make_environment .venv requirements.txt requirements-dev.txt || exit 1
make_environment .venv-peers requirements-peers.txt || exit 1

step "ruff"
.venv/bin/ruff check . || exit 1

step "mypy --strict"
.venv/bin/mypy || exit 1

step "import contracts"
.venv/bin/lint-imports --no-cache || exit 1

step "tests"
exec .venv/bin/python -m pytest -n 3 --dist worksteal "$@"
