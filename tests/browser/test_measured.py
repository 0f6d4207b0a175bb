"""What the benchmark of the page reads of processes is theirs."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.console_drill.measured import Window, children_of, lateness


def test_work_of_a_process_is_counted_and_idleness_is_not() -> None:
    window = Window(os.getpid())
    begun = time.process_time()
    while time.process_time() - begun < 0.15:
        pass
    assert window.percent(os.getpid()) > 0
    assert children_of(os.getpid()) == [] or os.getpid() not in children_of(os.getpid())


def test_a_child_is_among_the_children_while_it_lives() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children_of(os.getpid())
        child.communicate(b"\n")
    assert child.pid not in children_of(os.getpid())


def test_ticks_outside_of_the_window_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "ticks").write_text("1.0 50.0\n2.0 3.0\n2.5 1.0\n9.0 70.0\n", encoding="ascii")
    assert lateness(tmp_path / "ticks", 1.5, 3.0) == [1.0, 3.0]
