"""Dumps that are killed, run out of disk, descriptors or memory, lose their folder or meet each other: under the final name
there is either nothing or a file that `weir validate` passes, and what is said is one line.

Moments are drawn from a seeded generator, spread over the time that the same dump takes undisturbed.
"""
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import time

import pytest

from program import ROOT, SANITIZED, WEIR

GPT2 = ROOT / "tests/model/fixtures/gpt2"
PROMPT = ",".join(str(i % 50) for i in range(90))
# prompts of rill, long enough for values to pass the page cache by: whole ones, and in chunks where lengths differ
LONG, SHORTER = (["--tokens", ",".join(str(i % 50) for i in range(n))] for n in (250, 150))
LARGE = {"contiguous": [WEIR, "dump", *LONG * 4], "chunked": [WEIR, "dump", *LONG * 3, *SHORTER]}
INPUT, OUTPUT, MEMORY = 3, 5, 6


def command(out, prompts=1, *more):
    return [WEIR, "dump", "-m", GPT2, "-o", out, *["--tokens", PROMPT] * prompts, *more]


def run(args, **options):
    return subprocess.run(list(map(str, args)), capture_output=True, text=True, **options)


def validates(path):
    done = run([WEIR, "validate", path])
    return done.returncode == 0 or (done.returncode, done.stdout, done.stderr)


def one_line(done):
    lines = [line for line in done.stderr.splitlines() if line.startswith("weir: ")]
    assert len(lines) == 1 and done.stderr.splitlines()[-1] == lines[0], done.stderr
    return lines[0]


def partials(folder):
    return [p.name for p in folder.iterdir() if ".part-" in p.name]


# ---- killed ----

def seconds_of(args):
    start = time.perf_counter()
    assert run(args).returncode == 0
    return time.perf_counter() - start


def kill_after(args, seconds):
    """whether the process had to be killed"""
    with subprocess.Popen(list(map(str, args)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.kill()
        return process.wait() == -signal.SIGKILL


def survive(folder, kills, values):
    """how many died of it, and how often there was a file; every third time one stands under the name before"""
    out = folder / "out.h5"
    args = [*LARGE[values], "--force", "-o", out] if values in LARGE else command(out, 60, "--force")
    chance = random.Random(2024)
    killed = found = 0
    for i in range(kills):
        if i % 20 == 0:    # the machine may be busier by now
            whole = seconds_of(args)
        replaces = i % 3 == 0
        if replaces and not out.exists():
            assert run(command(out)).returncode == 0
        if not replaces:
            out.unlink(missing_ok=True)
        killed += kill_after(args, chance.uniform(0, 1.1 * whole))
        assert not replaces or out.exists(), i
        if out.exists():
            assert validates(out) is True, i
            found += 1
    assert run(command(out, 1, "--force")).returncode == 0
    assert partials(folder) == [], "the next run clears what killed ones left"
    assert killed >= kills // 5, "too few to say anything"
    return killed, found


@pytest.mark.skipif(SANITIZED, reason="a process that is killed reports nothing")
@pytest.mark.parametrize("values", ["small", *LARGE])
def test_killed_dumps_leave_nothing_or_a_whole_file(tmp_path, values):
    survive(tmp_path, 10, values)


@pytest.mark.slow
@pytest.mark.parametrize("values", ["small", *LARGE])
def test_two_hundred_kills(tmp_path, values):
    killed, found = survive(tmp_path, 200, values)
    print(f"{killed} of 200 died of it, {found} times there was a file")


# ---- no room ----

def limited(which, limit):
    return lambda: resource.setrlimit(which, (limit, limit))


@pytest.mark.parametrize("size", [0, 4096, 100_000, 700_000])
def test_a_limit_on_the_size_of_files(tmp_path, size):
    done = run(command(tmp_path / "out.h5"), preexec_fn=limited(resource.RLIMIT_FSIZE, size))
    assert done.returncode == OUTPUT and "out.h5" in one_line(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [1_000_000, 2_345_678])
@pytest.mark.parametrize("values", LARGE)
def test_a_limit_in_the_midst_of_a_large_value(tmp_path, size, values):
    done = run([*LARGE[values], "-o", tmp_path / "out.h5"], preexec_fn=limited(resource.RLIMIT_FSIZE, size))
    assert done.returncode == OUTPUT and "out.h5: cannot be written: File too large" in one_line(done)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """a disk of 8 MB"""
    folder = tmp_path / "disk"
    folder.mkdir()
    if run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder]).returncode != 0:
        pytest.skip("a small disk can be made only where mount is allowed")
    yield folder
    run(["umount", folder])


def test_a_disk_that_cannot_hold_it_is_told_before(small_disk):
    done = run(command(small_disk / "out.h5", 200))
    assert done.returncode == OUTPUT and "disk has" in one_line(done)
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile(small_disk):
    args = list(map(str, command(small_disk / "out.h5", 7)))
    with subprocess.Popen(args, stderr=subprocess.PIPE, text=True) as process:
        os.kill(process.pid, signal.SIGSTOP) if "hook point" in process.stderr.readline() else None
        filler = small_disk / "filler"
        with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(1 << 16))
        os.kill(process.pid, signal.SIGCONT)
        said = process.stderr.read()
    assert process.returncode in (0, OUTPUT)
    if process.returncode:     # it may have been through before the disk was full
        assert said.startswith("weir: ") and "No space left" in said and said.count("\n") == 1
        assert list(small_disk.iterdir()) == [filler]


def test_a_folder_that_goes_away_meanwhile(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    args = list(map(str, command(folder / "out.h5", 200)))
    with subprocess.Popen(args, stderr=subprocess.PIPE, text=True) as process:
        assert "hook point" in process.stderr.readline()
        shutil.rmtree(folder)
        said = process.stderr.read()
    assert process.returncode == OUTPUT
    assert said.startswith("weir: ") and "out.h5" in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def export_of(path, out):
    return [WEIR, "export", path, "pattern", "-o", out]


@pytest.mark.parametrize("options", ["ro", "rw"])
def test_a_folder_that_cannot_be_written(tmp_path, options):
    """ro: a read-only disk; rw: a folder of someone else's"""
    folder, source = tmp_path / "folder", tmp_path / "source.h5"
    folder.mkdir()
    assert run(command(source)).returncode == 0
    if run(["mount", "-t", "tmpfs", "-o", f"{options},mode=555", "none", folder]).returncode != 0:
        pytest.skip("such a disk can be made only where mount is allowed")
    drop = {"preexec_fn": lambda: drop_capabilities()} if options == "rw" else {}
    try:
        for args in command(folder / "out.h5"), export_of(source, folder / "out.npy"):
            done = run(args, **drop)
            assert done.returncode == OUTPUT and "cannot be written" in one_line(done), done
            assert list(folder.iterdir()) == []
    finally:
        run(["umount", folder])


def drop_capabilities():
    """root without the right to write where its bits forbid it (CAP_DAC_OVERRIDE, 1)"""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(24, 1, 0, 0, 0) == 0      # PR_CAPBSET_DROP: gone after exec


@pytest.fixture(scope="module")
def limits(tmp_path_factory):
    library = tmp_path_factory.mktemp("limits") / "limits.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, ROOT / "tests/cli/limits.c", "-ldl"], check=True)
    return library


@pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be loaded first")
@pytest.mark.parametrize("bytes", [0, 5_000, 100_000, 380_000])
def test_a_quota_that_is_used_up(tmp_path, limits, bytes):
    source, out = tmp_path / "source.h5", tmp_path / "out"
    out.mkdir()
    assert run(command(source)).returncode == 0
    for args in command(out / "out.h5"), export_of(source, out / "out.npy"):
        done = run(args, env={**os.environ, "LD_PRELOAD": str(limits), "QUOTA": str(bytes)})
        assert done.returncode == OUTPUT and "Disk quota exceeded" in one_line(done), done
        assert list(out.iterdir()) == []


# ---- no descriptors, no memory ----

def test_too_few_descriptors(tmp_path):
    codes = []
    for limit in range(3, 16):
        done = run(command(tmp_path / "out.h5", 1, "--force"), preexec_fn=limited(resource.RLIMIT_NOFILE, limit))
        codes.append(done.returncode)
        if done.returncode:
            assert done.returncode == 127 or done.returncode in (3, 4, 5, 6) and one_line(done), (limit, done.stderr)
            assert list(tmp_path.iterdir()) == [], limit
        else:
            assert validates(tmp_path / "out.h5") is True
        (tmp_path / "out.h5").unlink(missing_ok=True)
    assert codes[0] != 0 and codes[-1] == 0, codes


@pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be loaded first")
def test_no_descriptor_for_the_next_open(tmp_path, limits):
    codes = []
    while not codes or codes[-1] != 0:
        env = {**os.environ, "LD_PRELOAD": str(limits), "OPENS": str(len(codes))}
        done = run(command(tmp_path / "out.h5"), env=env)
        codes.append(done.returncode)
        if done.returncode:
            assert done.returncode in (INPUT, OUTPUT) and "Too many open files" in one_line(done), done
            assert list(tmp_path.iterdir()) == []
    assert INPUT in codes and OUTPUT in codes, codes
    assert validates(tmp_path / "out.h5") is True


@pytest.mark.skipif(SANITIZED, reason="the sanitizer itself needs terabytes of addresses")
def test_too_little_memory(tmp_path):
    codes = []
    for limit in range(40, 400, 20):
        done = run(command(tmp_path / "out.h5", 30, "--force", "--threads", "2"),
                   preexec_fn=limited(resource.RLIMIT_AS, limit << 20))
        codes.append(done.returncode)
        if done.returncode:
            assert done.returncode == 127 or done.returncode in (3, 4, 5, 6) and one_line(done), (limit, done)
            assert list(tmp_path.iterdir()) == [], limit
        (tmp_path / "out.h5").unlink(missing_ok=True)
    assert MEMORY in codes and codes[-1] == 0, codes


# ---- a model that is cut short while it is read ----

def deep_model(folder, layers):
    """the tiny GPT-2 with its first block many times over: some megabytes, read from front to end"""
    folder.mkdir()
    data = (GPT2 / "model.safetensors").read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    header, values = json.loads(data[8:8 + n]), data[8 + n:]
    header.pop("__metadata__", None)
    block = re.compile(r"(.*\bh\.)(\d+)(\..*)")
    table, parts, at = {}, [], 0
    for name, tensor in header.items():
        found = block.fullmatch(name)
        if found and found[2] != "0":
            continue
        begin, end = tensor["data_offsets"]
        for copy in [f"{found[1]}{i}{found[3]}" for i in range(layers)] if found else [name]:
            table[copy] = tensor | {"data_offsets": [at, at + end - begin]}
            parts.append(values[begin:end])
            at += end - begin
    text = json.dumps(table).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
    config = json.loads((GPT2 / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_layer": layers}))
    return folder / "model.safetensors"


@pytest.mark.parametrize("left", [0, -1] if SANITIZED else [0, 0.25, 0.75, -1])
def test_a_model_that_is_cut_short_meanwhile(tmp_path, left):
    """left: the part that stays; -1: all but a byte, which raises no signal"""
    weights = deep_model(tmp_path / "deep", 300)
    size = weights.stat().st_size
    out = tmp_path / "out"
    out.mkdir()
    args = [WEIR, "dump", "-m", weights.parent, "-o", out / "out.h5", *["--tokens", PROMPT] * 40]
    with subprocess.Popen(list(map(str, args)), stderr=subprocess.PIPE, text=True) as process:
        assert "hook point" in process.stderr.readline()
        process.send_signal(signal.SIGSTOP)
        os.truncate(weights, size - 1 if left < 0 else int(size * left))
        process.send_signal(signal.SIGCONT)
        said = process.stderr.read()
    assert process.returncode == 3, (process.returncode, said)
    assert said == f"weir: {weights}: was cut short while it was read\n"
    assert list(out.iterdir()) == []


def test_a_bus_error_that_is_not_a_models_ends_the_process(tmp_path):
    with subprocess.Popen(list(map(str, command(tmp_path / "out.h5", 200))), stderr=subprocess.PIPE, text=True) as process:
        assert "hook point" in process.stderr.readline()
        process.send_signal(signal.SIGBUS)
        process.stderr.read()
    assert process.returncode == -signal.SIGBUS


# ---- two at once ----

def test_two_dumps_to_one_name(tmp_path):
    won = 0
    for i in range(10):
        out = tmp_path / f"out{i}.h5"
        both = [subprocess.Popen(list(map(str, command(out, 5 + 10 * k))), stderr=subprocess.PIPE, text=True)
                for k in range(2)]
        said = [process.communicate()[1] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes in ([0, OUTPUT],), said
        assert sum("exists; use --force" in text for text in said) == 1, said
        assert validates(out) is True
        won += 1
    assert won == 10 and partials(tmp_path) == []


def test_two_dumps_that_both_may_replace_the_file(tmp_path):
    out = tmp_path / "out.h5"
    both = [subprocess.Popen(list(map(str, command(out, 5 + 10 * k, "--force"))), stderr=subprocess.PIPE, text=True)
            for k in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert validates(out) is True and partials(tmp_path) == []


def test_reading_while_another_file_is_written_beside_it(tmp_path):
    first = tmp_path / "first.h5"
    assert run(command(first)).returncode == 0
    with subprocess.Popen(list(map(str, command(tmp_path / "second.h5", 200))), stderr=subprocess.PIPE) as writer:
        while writer.poll() is None:
            assert run([WEIR, "stats", first]).returncode == 0
        assert writer.returncode == 0, writer.stderr.read()
    assert validates(tmp_path / "second.h5") is True
