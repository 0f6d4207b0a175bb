"""What a process with keys in its memory leaves behind: no core file, and no file that others can read."""

import os
import resource


def leave_no_core() -> None:
    """A core file would hold every key; also for the children of this process. systemd's collector obeys it too."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def keep_files_private() -> None:
    """Whatever is written from here on, by this process and its children, is its owner's alone."""
    os.umask(0o077)
