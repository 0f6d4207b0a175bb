# Sourced by start.sh and test.sh: makes a virtual environment and installs what is listed, once per change of the list.

say() { printf '%s\n' "$*"; }

find_python() {
    for candidate in python3.11 python3.12 python3.13 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return 0
        fi
    done
    say "NIJA needs Python 3.11 or newer, and found none. Install it and run this again." >&2
    return 1
}

# make_environment DIRECTORY LIST…: the last LIST is installed; all of them together decide whether anything changed.
make_environment() {
    directory=$1
    shift
    for list in "$@"; do requirements=$list; done
    wanted=$(cat "$@" | cksum)
    if [ "$(cat "$directory/.installed" 2>/dev/null)" = "$wanted $requirements" ]; then
        return 0
    fi
    if [ ! -x "$directory/bin/python" ]; then
        python=$(find_python) || return 1
        say "Making $directory with $("$python" --version) …"
        if ! "$python" -m venv "$directory"; then
            # Half an environment would be taken for a whole one the next time.
            rm -rf "$directory"
            say "$python could not make $directory. On Debian and Ubuntu: apt install python3-venv" >&2
            return 1
        fi
    fi
    say "Installing $requirements into $directory (this takes a minute the first time) …"
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" || {
        say "Installing $requirements failed; see above. Nothing was started. Run this again when it can be reached." >&2
        return 1
    }
    printf '%s' "$wanted $requirements" >"$directory/.installed"
}
