"""A crash, or time that runs out, while a file is read: one line, an exit code, and nothing left behind.

Crashes are made by a library that stands in front of the others (tests/cli/crashes.c).
"""
import os
import resource
import signal
import subprocess

import pytest

from program import ROOT, SANITIZED, WEIR, weir
from terminal import Terminal

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be loaded first, and reports crashes itself")

INPUT = 3
COMMANDS = {"info": [], "ls": [], "show": ["pattern:0"], "stats": [], "attn": [], "heads": [], "validate": [], "next": [],
            "export": ["pattern", "-o", "o.npy"], "view": ["-o", "o.html"]}
HOWS = {"segfault": "segmentation fault", "abort": "aborted", "free": "aborted", "divide": "arithmetic error",
        "overflow": "segmentation fault"}


@pytest.fixture(scope="module")
def crashes(tmp_path_factory):
    library = tmp_path_factory.mktemp("crashes") / "crashes.so"
    subprocess.run(["cc", "-O1", "-fno-optimize-sibling-calls", "-shared", "-fPIC", "-o", library, ROOT / "tests/cli/crashes.c",
                    "-ldl"], check=True)
    return library


@pytest.fixture
def stored(tmp_path):
    assert weir(tmp_path, "dump", "--tokens", "1,2,3,4,5", "--next", "2", "-o", "run.h5").returncode == 0
    return tmp_path


def left(folder):
    return sorted(p.name for p in folder.iterdir())


def crashing(folder, library, where, how, command, *more, **options):
    return weir(folder, command, "run.h5", *COMMANDS[command], *more, env={"LD_PRELOAD": str(library), "CRASH": f"{where}:{how}"},
                **options)


@pytest.mark.parametrize("command, how", [*((c, "segfault") for c in COMMANDS), *(("ls", how) for how in HOWS)])
def test_a_crash_of_the_library_is_one_line_and_leaves_nothing(stored, crashes, command, how):
    done = crashing(stored, crashes, "H5Fopen", how, command)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == INPUT and done.stdout == b""
    assert lines[-1] == f"weir: run.h5: libhdf5 crashed while reading it ({HOWS[how]}): the file is damaged or malicious"
    assert len(lines) == 1 or how == "free", "only the C library says more, of what it found in its heap"
    assert left(stored) == ["run.h5"]


@pytest.mark.parametrize("command", ["export", "view"])
def test_a_crash_while_an_output_is_open_removes_it(stored, crashes, command):
    done = crashing(stored, crashes, "fsync", "segfault", command)
    assert done.returncode == INPUT and done.stderr.count(b"\n") == 1 and left(stored) == ["run.h5"], done


def test_a_crash_of_a_dump_ends_it_as_a_crash_does_and_leaves_nothing(stored, crashes):
    done = weir(stored, "dump", "--tokens", "1,2", "-o", "out.h5", env={"LD_PRELOAD": str(crashes), "CRASH": "fsync:segfault"})
    assert done.returncode == -signal.SIGSEGV and left(stored) == ["run.h5"], done


def test_a_name_that_steers_a_terminal_does_not_when_its_file_crashes_the_library(stored, crashes):
    os.rename(stored / "run.h5", stored / "a\x1b[31m.h5")
    done = weir(stored, "ls", "a\x1b[31m.h5", env={"LD_PRELOAD": str(crashes), "CRASH": "H5Fopen:segfault"})
    assert done.returncode == INPUT and done.stderr.startswith(b"weir: a\\x1b[31m.h5: libhdf5 crashed"), done


def test_a_crash_with_two_files_names_both(stored, crashes):
    (stored / "other.h5").write_bytes((stored / "run.h5").read_bytes())
    done = weir(stored, "diff", "run.h5", "other.h5", env={"LD_PRELOAD": str(crashes), "CRASH": "H5Fopen:abort"})
    assert done.returncode == INPUT and done.stderr.startswith(b"weir: run.h5 or other.h5: libhdf5 crashed"), done


def test_a_crash_in_the_browser_gives_the_terminal_back_and_says_why(stored, crashes):
    (stored / "tmux.conf").write_text("set -g default-terminal tmux-256color\n")
    command = f"echo BEFORE; stty -g > a; LD_PRELOAD={crashes} CRASH=ppoll:overflow {WEIR} tui run.h5; echo code $?; stty -g > b"
    with Terminal(stored, command) as terminal:
        screen = terminal.wait(r"^code \d+\ncode 0$")  # weir's, then that of stty
    assert screen.startswith("BEFORE\nweir: run.h5: libhdf5 crashed while reading it (segmentation fault)"), screen
    assert f"code {INPUT}\n" in screen and (stored / "a").read_text() == (stored / "b").read_text()


@pytest.mark.slow
def test_a_file_that_takes_for_ever_is_given_up(stored, crashes):
    """a minute of the processor's time"""
    done = crashing(stored, crashes, "H5Fopen", "hang", "ls")
    assert done.returncode == INPUT and left(stored) == ["run.h5"]
    assert done.stderr == b"weir: run.h5: gave up after 60 seconds, more than any file of its size needs\n"


def test_a_shorter_limit_on_time_stays_its_makers(stored, crashes):
    done = crashing(stored, crashes, "H5Fopen", "hang", "ls", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 5)))
    assert done.returncode == -signal.SIGXCPU and done.stderr == b""
