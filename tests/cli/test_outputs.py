"""Every command that writes a file writes it whole or not at all: stopped by a signal, at a limit on sizes, beside another
writer, over a file, and whatever its path leads to.
"""
import fcntl
import os
import resource
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from program import ROOT, SANITIZED, WEIR, on_terminal

GPT2 = str(ROOT / "tests/model/fixtures/gpt2")
IDS = ",".join(str(150 + i % 50) for i in range(60))     # three bytes each, as tokens that steer have
USAGE, OUTPUT = 2, 5

WRITERS = {
    "dump": lambda stored, out: ["dump", "-m", GPT2, "--tokens", IDS, "-o", out],
    "npy": lambda stored, out: ["export", stored, "pattern", "--format", "npy", "-o", out],
    "npz": lambda stored, out: ["export", stored, "pattern,z", "--format", "npz", "-o", out],
    "csv": lambda stored, out: ["export", stored, "pattern:0", "--format", "csv", "-o", out],
    "png": lambda stored, out: ["attn", stored, "--png", out],
    "svg": lambda stored, out: ["attn", stored, "--svg", out],
    "html": lambda stored, out: ["attn", stored, "--html", out],
    "view": lambda stored, out: ["view", stored, "-o", out],
}
SEEKS = {"dump", "npz"}      # their bytes do not come from the first to the last
every_writer = pytest.mark.parametrize("writer", WRITERS)


def run(args, **options):
    return subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True, **options)


def one_line(done):
    lines = done.stderr.splitlines()
    assert lines and lines[-1].startswith("weir: ") and sum(line.startswith("weir: ") for line in lines) == 1, done
    return lines[-1]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "run.h5"
    assert run(["dump", "-m", GPT2, "--tokens", IDS, "-o", path]).returncode == 0
    return path


# ---- limits ----

@every_writer
@pytest.mark.parametrize("size", [0, 1, 4096])
def test_a_limit_on_the_size_of_files_is_an_error_and_leaves_nothing(tmp_path, stored, writer, size):
    done = run(WRITERS[writer](stored, tmp_path / "out"),
               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    assert done.returncode == OUTPUT, done
    assert "File too large" in one_line(done) and "disk is full" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_limit_on_standard_output_is_not_called_a_full_disk(tmp_path, stored):
    for args in ["show", stored, "pattern"], ["stats", stored, "--json"], ["hooks"], ["attn", stored, "--json"]:
        with open(tmp_path / "out", "w") as out:
            done = subprocess.run([WEIR, *map(str, args)], stdout=out, stderr=subprocess.PIPE, text=True,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
        assert done.returncode == OUTPUT and "File too large" in one_line(done), (args, done)


@pytest.mark.parametrize("args", [["ls"], ["show", "pattern"], ["attn", "--json"], ["stats"]], ids=lambda a: a[0])
def test_a_full_disk_is_named(stored, args):
    with open("/dev/full", "w") as full:
        done = subprocess.run([WEIR, args[0], str(stored), *args[1:]], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == OUTPUT and "No space left" in one_line(done), done


@every_writer
def test_too_long_a_name_is_refused_before_anything_is_done(tmp_path, stored, writer):
    for name in "x" * 256, "é" * 128, "x" * 5000:
        done = run(WRITERS[writer](stored, tmp_path / name))
        assert done.returncode == OUTPUT and "too long" in one_line(done) and "hook point" not in done.stderr, done
    assert list(tmp_path.iterdir()) == []


@every_writer
@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "日本" * 42, "a.part-1-1"])
def test_the_longest_names_are_written(tmp_path, stored, writer, name):
    assert run(WRITERS[writer](stored, tmp_path / name)).returncode == 0
    assert [p.name for p in tmp_path.iterdir()] == [name]


# ---- signals ----

ENDS = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2,
        signal.SIGVTALRM, signal.SIGPROF, signal.SIGPOLL, signal.SIGPWR, signal.SIGRTMIN, signal.SIGRTMAX]
CRASHES = [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS]


def reset_signals():
    for number in ENDS:
        signal.signal(number, signal.SIG_DFL)


def partials(folder):
    return [p for p in folder.iterdir() if ".part-" in p.name]


def wait_for_partial(process, folder, least=0):
    while not any(p.stat().st_size >= least for p in partials(folder)):
        assert process.poll() is None, "it was done before its file was seen"
        time.sleep(0.001)


def slow_dump(out):
    return ["dump", "-m", GPT2, *["--tokens", ",".join(str(i % 50) for i in range(90))] * 300, "-o", out]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "run.h5"
    assert run(slow_dump(path)).returncode == 0
    return path


SLOW = {
    "dump": lambda large, out: slow_dump(out),
    "csv": lambda large, out: ["export", large, "pattern", "--prompt", "all", "--format", "csv", "-o", out],
    "view": lambda large, out: ["view", large, "-o", out, "--max-size", "1000"],
}


def killed_while_writing(tmp_path, large, writer, number):
    args = [WEIR, *map(str, SLOW[writer](large, tmp_path / "out"))]
    with subprocess.Popen(args, stderr=subprocess.PIPE, text=True, preexec_fn=reset_signals) as process:
        wait_for_partial(process, tmp_path, least=1)
        process.send_signal(number)
        said = process.stderr.read()
    assert list(tmp_path.iterdir()) == []
    return process.returncode, said


@pytest.mark.parametrize("number", ENDS, ids=lambda n: n.name)
@pytest.mark.parametrize("writer", SLOW)
def test_a_signal_that_asks_for_an_end_leaves_nothing(tmp_path, large, writer, number):
    code, said = killed_while_writing(tmp_path, large, writer, number)
    assert code == 128 + number and said.endswith("weir: interrupted; nothing was written\n"), said


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's own handlers stay, and report")
@pytest.mark.parametrize("number", CRASHES, ids=lambda n: n.name)
@pytest.mark.parametrize("writer", SLOW)
def test_a_signal_of_a_crash_ends_it_so_and_leaves_nothing(tmp_path, large, writer, number):
    code, _ = killed_while_writing(tmp_path, large, writer, number)
    assert code == -number


def test_the_end_of_the_time_that_a_process_may_take_leaves_nothing(tmp_path, large):
    code, said = killed_while_writing(tmp_path, large, "dump", signal.SIGXCPU)
    assert code == 128 + signal.SIGXCPU and said.endswith("weir: interrupted; nothing was written\n"), said
    code, _ = killed_while_writing(tmp_path, large, "csv", signal.SIGXCPU)
    assert code == -signal.SIGXCPU


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_that_is_ignored_stays_so(tmp_path, number):
    """nohup weir dump ..."""
    args = [WEIR, *map(str, slow_dump(tmp_path / "out"))]
    with subprocess.Popen(args, stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: signal.signal(number, signal.SIG_IGN)) as process:
        wait_for_partial(process, tmp_path)
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 0, said
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


# ---- what partial names belong to ----

def partial_of(folder, name, pid):
    return folder / f".{name}.part-{pid}-0"


@every_writer
def test_a_partial_file_that_somebody_holds_is_left_alone_and_others_are_cleared(tmp_path, stored, writer):
    """whatever number its process has: in another container it is another's here"""
    held, dead, ours = (partial_of(tmp_path, "out", pid) for pid in (2147483646, 2147483645, os.getpid()))
    others = [tmp_path / name for name in (".out.part-x", ".out.part-1-", ".out.part--1", ".out.part-0-1", ".out.part-1-1x")]
    for path in [held, dead, ours, *others]:
        path.write_bytes(b"")
    with open(held, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(WRITERS[writer](stored, tmp_path / "out")).returncode == 0
    assert sorted(tmp_path.iterdir()) == sorted([held, *others, tmp_path / "out"])


def test_a_writer_of_another_pid_namespace_is_alive(tmp_path):
    """the same pid in each: only the lock tells"""
    unshare = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("namespaces can be made only where unshare is allowed")
    args = [*unshare, WEIR, *map(str, slow_dump(tmp_path / "out"))]
    with subprocess.Popen(args, stderr=subprocess.PIPE, text=True) as process:
        wait_for_partial(process, tmp_path)
        alive = partials(tmp_path)
        process.send_signal(signal.SIGSTOP)
        done = run([*WRITERS["dump"](None, tmp_path / "out")])
        assert all(path.exists() for path in alive) or process.poll() is not None
        process.send_signal(signal.SIGCONT)
        said = process.stderr.read()
    assert sorted([done.returncode, process.returncode]) == [0, OUTPUT], (done, said)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_many_writers_of_one_name_clear_nobody_elses(tmp_path, stored):
    out = tmp_path / "out"
    args = [WEIR, *map(str, WRITERS["csv"](stored, out)), "--force"]
    all_of_them = [subprocess.Popen(args, stderr=subprocess.PIPE, text=True) for _ in range(12)]
    said = [process.communicate()[1] for process in all_of_them]
    assert [process.returncode for process in all_of_them] == [0] * 12, said
    assert list(tmp_path.iterdir()) == [out]


# ---- over a file ----

@every_writer
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o777, 0o604])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, stored, writer, mode):
    out = tmp_path / "out"
    out.write_bytes(b"before")
    out.chmod(mode)
    assert run(WRITERS[writer](stored, out)).returncode == OUTPUT and out.read_bytes() == b"before"
    assert run([*WRITERS[writer](stored, out), "--force"]).returncode == 0
    assert stat.S_IMODE(out.stat().st_mode) == mode and out.stat().st_size > 6


@every_writer
def test_a_new_file_has_the_permissions_that_umask_says(tmp_path, stored, writer):
    for mask in 0o022, 0o077, 0o002:
        out = tmp_path / f"out{mask}"
        assert run(WRITERS[writer](stored, out), preexec_fn=lambda: os.umask(mask)).returncode == 0
        assert stat.S_IMODE(out.stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("writer", ["dump", "csv", "view"])
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path, stored, writer):
    out = tmp_path / "out"
    out.write_bytes(b"before")
    try:
        os.chown(out, 12345, 23456)
    except PermissionError:
        pytest.skip("only root may give files away")
    out.chmod(0o640)
    assert run([*WRITERS[writer](stored, out), "--force"]).returncode == 0
    now = out.stat()
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (12345, 23456, 0o640)


def test_a_replacement_is_nobody_elses_to_read_while_it_is_written(tmp_path):
    out = tmp_path / "out"
    out.write_bytes(b"before")
    out.chmod(0o600)
    with subprocess.Popen([WEIR, *map(str, slow_dump(out)), "--force"], stderr=subprocess.PIPE,
                          preexec_fn=lambda: os.umask(0)) as process:
        wait_for_partial(process, tmp_path)
        modes = [stat.S_IMODE(path.stat().st_mode) for path in partials(tmp_path)]
        process.kill()
    assert modes == [0o600]


@every_writer
def test_what_a_symbolic_link_leads_to_is_written_and_the_link_stays(tmp_path, stored, writer):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    target = tmp_path / "b/target"
    for link, leads in ("absolute", target), ("relative", "../b/target"), ("second", "relative"):
        path = tmp_path / "a" / link
        path.symlink_to(leads)
        target.write_bytes(b"before")
        target.chmod(0o600)
        assert run(WRITERS[writer](stored, path)).returncode == OUTPUT
        assert run([*WRITERS[writer](stored, path), "--force"]).returncode == 0
        assert path.is_symlink() and target.stat().st_size > 6 and stat.S_IMODE(target.stat().st_mode) == 0o600
        target.unlink()
        assert run(WRITERS[writer](stored, path)).returncode == 0, "one that leads to nothing yet"
        assert path.is_symlink() and target.stat().st_size > 6
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["target"]
    (tmp_path / "loop").symlink_to("loop")
    done = run([*WRITERS[writer](stored, tmp_path / "loop"), "--force"])
    assert done.returncode == OUTPUT and "symbolic links" in one_line(done)


# ---- what is no file ----

@every_writer
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_folders_and_sockets_are_refused_and_stay(tmp_path, stored, writer, force):
    folder, sock = tmp_path / "folder", tmp_path / "socket"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(sock))
        for path, what in (folder, "a folder"), (sock, "a socket"), (f"{folder}/", "does not name a file"):
            done = run([*WRITERS[writer](stored, path), *force])
            assert done.returncode == OUTPUT and what in one_line(done), done
    assert folder.is_dir() and stat.S_ISSOCK(sock.stat().st_mode) and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("writer", sorted(SEEKS))
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_formats_that_are_not_streams_refuse_what_only_takes_streams(tmp_path, stored, writer, force):
    fifo, out = tmp_path / "fifo", tmp_path / "behind"
    os.mkfifo(fifo)
    out.write_bytes(b"before")
    for path, what in (fifo, "a FIFO"), ("/dev/null", "a device"), ("/dev/stdout", "open"), ("/dev/fd/1", "open"):
        with open(out, "r+b") as behind:
            done = subprocess.run([WEIR, *map(str, WRITERS[writer](stored, path)), *force], stdout=behind,
                                  stderr=subprocess.PIPE, text=True)
        assert done.returncode == OUTPUT and what in one_line(done), done
    assert stat.S_ISFIFO(fifo.stat().st_mode) and stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert out.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 2


streams = pytest.mark.parametrize("writer", sorted(set(WRITERS) - SEEKS))


@streams
@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_standard_output_takes_the_same_bytes_and_what_is_behind_it_stays_itself(tmp_path, stored, writer, path, force):
    expected, behind = tmp_path / "expected", tmp_path / "behind"
    assert run(WRITERS[writer](stored, expected)).returncode == 0
    with open(behind, "wb") as out:
        number = os.fstat(out.fileno()).st_ino
        done = subprocess.run([WEIR, *map(str, WRITERS[writer](stored, path)), *force], stdout=out, stderr=subprocess.PIPE)
    assert done.returncode == 0, done
    assert behind.stat().st_ino == number and behind.read_bytes() == expected.read_bytes()


@streams
def test_fifos_and_devices_take_the_bytes(tmp_path, stored, writer):
    expected, fifo, got = tmp_path / "expected", tmp_path / "fifo", []
    assert run(WRITERS[writer](stored, expected)).returncode == 0
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    done = run(WRITERS[writer](stored, fifo))
    reader.join()
    assert done.returncode == 0 and got == [expected.read_bytes()]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    for force in [], ["--force"]:
        assert run([*WRITERS[writer](stored, "/dev/null"), *force]).returncode == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    done = run(WRITERS[writer](stored, "/dev/full"))
    assert done.returncode == OUTPUT and "No space left" in one_line(done)


# ---- words ----

CONTROLS = ["\x1b[2J", "\x9b2J", "\u202eevil", "\u2066a\u2069", "\u200f", "\u061c", "a\nb", "a\tb", "\x7f"]


def steers(text):
    """control characters but for the ends of lines, and those that turn text round"""
    return [c for c in text if c != "\n" and (c < " " or "\x7f" <= c < "\xa0" or c in "\u061c\u200e\u200f\u2028\u2029"
                                             or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069")]


@every_writer
@pytest.mark.parametrize("name", CONTROLS, ids=ascii)
def test_a_name_steers_no_terminal(tmp_path, stored, writer, name):
    for folder, code in (tmp_path, 0), (tmp_path, OUTPUT), (tmp_path / "none", OUTPUT):
        done = run(WRITERS[writer](stored, folder / name))
        assert done.returncode == code, done
        assert not steers(done.stdout + done.stderr), done
        assert code == 0 or len(done.stderr.splitlines()) == 1, done


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, stored):
    """a file whose strings are made to steer"""
    h5py = pytest.importorskip("h5py")
    path = tmp_path_factory.mktemp("hostile") / "run.h5"
    path.write_bytes(stored.read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["model"] = "\u009b2J\u202e\x1b[31m\u2066m"
        file.attrs["command"] = "weir\u2028dump\x7f\u061c"
        tokens = file["tokens/text"][...]
        for i, text in enumerate(["\x1b[1m", "\u009b", "\u202e", "\u200f", "\u2069"]):
            tokens[0, i] = text.encode()[:tokens.dtype.itemsize]
        file["tokens/text"][...] = tokens
    return path


QUERIES = [["ls"], ["ls", "--json"], ["show", "pattern:0"], ["show", "pattern:0", "--json"], ["attn", "-l", "0", "-H", "0"],
           ["attn", "--json"], ["attn", "--top", "5"], ["attn", "--top", "5", "--json"], ["stats"], ["stats", "--json"],
           ["attn", "-q", "nothing"], ["validate"], ["validate", "--json"]]


@pytest.mark.parametrize("query", QUERIES, ids=" ".join)
def test_a_file_steers_no_terminal(hostile, query):
    import json
    done = run([query[0], hostile, *query[1:]])
    assert done.stdout or done.stderr
    assert not steers(done.stdout + done.stderr), ascii(done.stdout + done.stderr)
    if "--json" in query:
        json.loads(done.stdout)


def test_json_keeps_what_it_escapes(hostile):
    import json
    said = json.loads(run(["ls", hostile, "--json"]).stdout)
    assert "\u009b2J\u202e\x1b[31m\u2066m" in json.dumps(said, ensure_ascii=False).replace("\\u001b", "\x1b")


@pytest.mark.parametrize("args", [["export", "z:0.0", "--format", "csv", "-o", "-"], ["attn", "--top", "3", "--csv"]],
                         ids=lambda a: a[0])
def test_csv_steers_no_terminal_and_is_whole_in_a_file(hostile, args):
    args = [args[0], hostile, *args[1:]]
    assert not steers(on_terminal(ROOT, *args, messages=True, NO_COLOR="1"))
    if args[0] == "export":
        assert "\x1b[1" in run(args).stdout, "a program that reads it gets the tokens as they are"


def test_words_come_after_what_was_printed_before_them():
    done = subprocess.run([WEIR, "hooks"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.stdout.splitlines()[-1].startswith("+ stored by default")


def test_an_error_comes_after_the_answer_so_far(stored, tmp_path):
    done = subprocess.run([WEIR, "show", str(stored), "z:0,nothing"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    assert done.stdout.splitlines()[-1].startswith("weir: ")


# ---- the environment ----

@pytest.mark.parametrize("value, code", [("nonsense", USAGE), ("AVX2", USAGE), ("avx", USAGE), ("plain ", USAGE), ("0", USAGE),
                                         ("plain", 0), ("", 0)])
@pytest.mark.parametrize("command", [["stats"], ["ls"], ["hooks"], ["dump"]], ids=lambda c: c[0])
def test_an_instruction_set_that_there_is_not_is_refused(tmp_path, stored, command, value, code):
    args = {"dump": WRITERS["dump"](stored, tmp_path / "out"), "hooks": ["hooks"]}.get(command[0], [*command, stored])
    done = run(args, env={**os.environ, "WEIR_ISA": value})
    assert done.returncode == code, done
    if code:
        assert "plain, avx2 or avx512" in one_line(done)


@pytest.mark.parametrize("n", ["0", "257", "1024", "-1", "99999999999"])
def test_a_number_of_threads_that_no_pool_has_is_refused_as_an_option(tmp_path, n):
    done = run([*WRITERS["dump"](None, tmp_path / "out"), "--threads", n])
    assert done.returncode == USAGE and "256" in one_line(done) and "--threads" in done.stderr, done


# ---- how it is built ----

@pytest.mark.skipif(SANITIZED, reason="sanitizers look for the same")
def test_the_binary_is_hardened():
    """-fstack-protector-strong, _FORTIFY_SOURCE, PIE, RELRO and BIND_NOW"""
    def readelf(*options):
        return subprocess.run(["readelf", "-W", *options, WEIR], capture_output=True, text=True, check=True).stdout

    symbols, dynamic, headers = readelf("--dyn-syms"), readelf("-d"), readelf("-hl")
    assert "__stack_chk_fail" in symbols and "_chk@" in symbols.replace("__stack_chk_fail", "")
    assert "GNU_RELRO" in headers and "DYN" in headers
    assert "BIND_NOW" in dynamic or "NOW" in dynamic
    assert not [line for line in headers.splitlines() if "GNU_STACK" in line and "RWE" in line]
