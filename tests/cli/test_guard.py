"""A crash, or time that runs out, while a file is read: one line, an exit code, and nothing left behind.

Crashes are made by a library that stands in front of the others (tests/cli/crashes.c).
"""
import os
import resource
import signal
import struct
import subprocess
import zipfile

import pytest

from program import ROOT, SANITIZED, WEIR, weir
from terminal import Terminal

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be loaded first, and reports crashes itself")

INPUT, MEMORY = 3, 6
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


@pytest.mark.parametrize("most", [5, resource.getrlimit(resource.RLIMIT_CPU)[1]])
def test_a_shorter_limit_on_time_stays_its_makers(stored, crashes, most):
    done = crashing(stored, crashes, "H5Fopen", "hang", "ls", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, most)))
    assert done.returncode == -signal.SIGXCPU and done.stderr == b""


# ---- files that edits and metrics name ----

READERS = {"run": ["--tokens", "1,2,3", "--edit"], "dump": ["--tokens", "1,2,3", "-o", "o.h5", "--edit"]}
LIMITS_PLUGIN = """
#include <stdio.h>
#include <sys/resource.h>
#include "weir.h"
static weir_status look(const weir_event *event, void *payload)
{
    struct rlimit memory, time;
    (void)event, (void)payload;
    getrlimit(RLIMIT_AS, &memory);
    getrlimit(RLIMIT_CPU, &time);
    fprintf(stderr, "limits %d %d\\n", memory.rlim_cur == RLIM_INFINITY, time.rlim_cur == RLIM_INFINITY);
    return WEIR_OK;
}
static weir_status open_limits(void **state, weir_run *run, const weir_model *model, const char *arguments)
{
    *state = NULL;
    (void)model, (void)arguments;
    return weir_run_hook(run, "embed", WEIR_READ, look, NULL);
}
const weir_plugin weir_plugin_entry = {.abi = WEIR_PLUGIN_ABI, .open = open_limits};
"""


@pytest.mark.parametrize("command", READERS)
def test_a_crash_in_a_cache_that_an_edit_names_is_one_line_and_leaves_nothing(stored, crashes, command):
    done = weir(stored, command, *READERS[command], "resid_post:1 = run.h5[#0]", env={"LD_PRELOAD": str(crashes), "CRASH": "H5Fopen:segfault"})
    assert done.returncode == INPUT and done.stdout == b"" and left(stored) == ["run.h5"]
    assert done.stderr.splitlines()[-1] == (b"weir: run.h5: libhdf5 crashed while reading it (segmentation fault): the file is damaged "
                                            b"or malicious"), done


def test_a_crash_after_a_cache_was_read_is_not_its(stored, crashes):
    done = weir(stored, "dump", *READERS["dump"], "resid_post:1@:3 = run.h5[@:3#0]", env={"LD_PRELOAD": str(crashes), "CRASH": "fsync:segfault"})
    assert done.returncode == -signal.SIGSEGV and b"run.h5: libhdf5" not in done.stderr and left(stored) == ["run.h5"], done


def damaged_cache(folder):
    whole = (folder / "run.h5").read_bytes()
    (folder / "damaged.h5").write_bytes(whole[:len(whole) // 2])
    return "resid_post:1 = damaged.h5[#0]"


def bomb(folder):
    """an archive whose member claims to be 4 GB of numbers, and is a few KB"""
    with zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v.npy", b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1073741000,)}".ljust(117) +
                         b"\n" + bytes(1 << 22))
    data = bytearray((folder / "bomb.npz").read_bytes())
    claimed = struct.pack("<I", 0xfffffff0)
    data[22:26] = claimed                                                    # of the member's own header
    at = data.rindex(b"PK\x01\x02")
    data[at + 24:at + 28] = claimed                                          # of the directory
    (folder / "bomb.npz").write_bytes(data)
    return "resid_post:1@-1 += bomb.npz"


def huge_header(folder):
    (folder / "huge.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b'{"v":{}}')
    return "resid_post:1@-1 += huge.safetensors"


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("make", [damaged_cache, bomb, huge_header])
def test_a_damaged_file_that_an_edit_names_is_one_line(stored, command, make):
    edit = make(stored)
    before = left(stored)
    done = weir(stored, command, *READERS[command], edit, seconds=20)
    lines = [line for line in done.stderr.splitlines() if line.startswith(b"weir: ")]
    assert done.returncode in (INPUT, MEMORY) and len(lines) == 1, done
    assert edit.split()[2].split("[")[0].encode() in lines[0] and left(stored) == before, done


@pytest.mark.parametrize("make", [bomb, huge_header])
def test_a_damaged_file_that_a_metric_or_a_direction_names_is_one_line(stored, make):
    path = make(stored).split()[2]
    for option, text in ("--metric", f"dot(resid_post:1@-1, {path})"), ("--edit", f"resid_post:1 = 0 along {path}"):
        done = weir(stored, "run", "--tokens", "1,2,3", option, text, seconds=20)
        lines = [line for line in done.stderr.splitlines() if line.startswith(b"weir: ")]
        assert done.returncode in (INPUT, MEMORY) and len(lines) == 1 and path.encode() in lines[0], done


def test_the_limits_of_a_file_that_an_edit_names_end_when_it_is_read(stored):
    """seen by a plugin, while the model runs"""
    (stored / "limits.c").write_text(LIMITS_PLUGIN)
    subprocess.run(["cc", "-shared", "-fPIC", "-I", ROOT / "lib", "-o", stored / "limits.so", stored / "limits.c"], check=True)
    limits = resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_CPU)[0]
    done = weir(stored, "run", "--tokens", "1,2,3", "--plugin", stored / "limits.so", "--edit", "resid_post:1@:3 = run.h5[@:3#0]")
    assert done.returncode == 0 and b"limits %d %d" % tuple(limit == resource.RLIM_INFINITY for limit in limits) in done.stderr, done
