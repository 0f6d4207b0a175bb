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

# It remembers which tests failed.
run_tests() { .venv/bin/python -m pytest -o addopts="-q --strict-markers" -o cache_dir=.venv/.pytest_cache "$@"; }

step "tests"
rm -rf .venv/.pytest_cache
run_tests -n 3 --dist worksteal "$@"
code=$?
[ "$code" -eq 1 ] || exit "$code"

step "what failed beside the others, once more by itself (docs/decisions/0022-what-failed-in-the-crowd-is-asked-again-alone.md)"
run_tests -n 0 -v -rA --last-failed --last-failed-no-failures none "$@"
