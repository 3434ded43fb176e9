"""The first table of docs/performance.md: weir and its peers in turn, on this machine, in one sitting.

    script/bench [--quick] [--no-write] [--rounds N] [--lengths 64,512,1024]

A row of ROWS is a comparison: what weir runs, what the peer runs, and how a figure comes of it. Each is run in a process
of its own, weir first, the peer next, and so on for all rounds, so that a busy moment hits both; the figure is the
median. To add a peer, add a verb to peers.py and a row here.
"""
import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

TOP = Path(__file__).resolve().parents[2]
DOC = TOP / "docs/performance.md"
BEGIN, END = "<!-- script/bench begins -->", "<!-- script/bench ends -->"
WEIR, WARM = TOP / "build/cli/weir", TOP / "build/bench_warm"
REPEATS = 5   # passes of one warm process

sys.path.insert(0, str(Path(__file__).parent))
import peers  # noqa: E402


def peer(verb):
    return lambda model, n, out: [sys.executable, TOP / "tests/bench/peers.py", verb, model, n,
                                  *([REPEATS] if "warm" in verb else []), *([out] if verb.startswith("tl") else [])]


def weir_dump(model, n, out):
    return [WEIR, "dump", "-m", model, "--tokens", ",".join(map(str, peers.ids(n))), "--force", "-o", out]


def weir_capture(model, n, out):
    return [WARM, model, n, REPEATS + 2, "capture", out]


def weir_forward(model, n, out):
    return [WARM, model, n, REPEATS + 2, "read", "ln_final_out"]


def wall(run):
    return [run["seconds"]]


def peak(run):
    return [run["peak"] / 1e9]


def printed(run):
    """the list of seconds that a warm process prints; weir's first two passes warm up and do not count:
    the second makes working copies of the weights"""
    return json.loads(run["stdout"])[-REPEATS:]


# what, unit, weir's command, the peer, its command, the figures of one run
ROWS = [
    ("whole process, first run, card dump", "s", weir_dump, "TransformerLens", peer("tl-dump"), wall),
    ("peak memory of that", "GB", weir_dump, "TransformerLens", peer("tl-dump"), peak),
    ("card dump, warm", "s", weir_capture, "TransformerLens", peer("tl-warm"), printed),
    ("forward alone, no unembedding, warm", "s", weir_forward, "transformers", peer("hf-warm"), printed),
]


def run(command):
    """One process: its wall time, peak memory and output."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(list(map(str, command)), stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        if status != 0:
            words = err.read().decode(errors="replace")[-2000:]
            sys.exit(f"failed: {shlex.join(map(str, command))[:300]}\n{words}")
        return dict(seconds=seconds, peak=usage.ru_maxrss * 1024, stdout=out.read().decode())


def measure(model, lengths, rounds, folder):
    """{(what, n): ([weir's figures], [the peer's])}; processes that two rows share run once"""
    found = {}
    pairs = {}
    for row in ROWS:
        pairs.setdefault((row[2], row[3], row[0].split(",")[-1] if row[5] is printed else "dump"), []).append(row)
    for n in lengths:
        for rows in pairs.values():
            for i in range(rounds):
                for side, command in enumerate((rows[0][2], rows[0][4])):
                    out = folder / "run.h5"
                    out.unlink(missing_ok=True)
                    done = run(command(model, n, out))
                    for what, _, _, _, _, figures in rows:
                        found.setdefault((what, n), ([], []))[side].extend(figures(done))
                print(f"{rows[0][0]}, {n} tokens, round {i + 1} of {rounds}: "
                      + " against ".join(f"{median(side):.3g}" for side in found[rows[0][0], n]), file=sys.stderr)
    return found


def table(found, lengths):
    lines = ["| | " + " | ".join(f"{n} tokens" for n in lengths) + " |", "|---" * (len(lengths) + 1) + "|"]
    for what, unit, _, against, _, _ in ROWS:
        cells = []
        for n in lengths:
            mine, theirs = map(median, found[what, n])
            cells.append(f"{mine:.3g} against {theirs:.3g} {unit}: **{theirs / mine:.1f}x**")
        lines.append(f"| {what}: weir against {against} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cpu():
    text = Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", text)
    flags = (re.search(r"flags\s*: (.*)", text) or ["", ""])[1].split()
    wide = [f for f in ("avx2", "fma", "f16c", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile") if f in flags]
    return f"{name[1] if name else platform.machine()} ({os.cpu_count()} cores seen; {', '.join(wide) or 'no wide instructions'})"


def installed(package):
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def machine():
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) / 1e6
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=TOP, capture_output=True, text=True).stdout.strip()
    peers_ = ", ".join(map(installed, ("torch", "transformers", "transformer-lens", "h5py")))
    libraries = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}, ", "libdnnl2", "libhdf5-103-1"],
                               capture_output=True, text=True).stdout.rstrip(", ")
    return (f"{cpu()}; {memory:.0f} GB; Linux {platform.release()}; {compiler}; {libraries}; Python {platform.python_version()}, "
            f"{peers_}; weir at {commit or 'no commit'}, {time.strftime('%Y-%m-%d')}.")


def write(block):
    text = DOC.read_text()
    if BEGIN not in text or END not in text:
        sys.exit(f"{DOC} lacks the markers {BEGIN} and {END}")
    head, rest = text.split(BEGIN, 1)
    DOC.write_text(f"{head}{BEGIN}\n{block}\n{END}{rest.split(END, 1)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, 64 tokens")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lengths", default="64,512,1024")
    parser.add_argument("--no-write", action="store_true", help="print only")
    given = parser.parse_args()
    lengths, rounds = ([64], 1) if given.quick else ([int(n) for n in given.lengths.split(",")], given.rounds)

    model = TOP / ".cache/bench/gpt2-small"
    if not (model / "model.safetensors").exists():
        run([sys.executable, TOP / "tests/bench/peers.py", "model", model])
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        found = measure(model, lengths, rounds, Path(folder))
    block = (f"\nGPT-2 small's shape (124M, random weights), float32, all cores; medians of {rounds} rounds, the two sides in turn. "
             f"\"card dump\" is the five default hook points in every layer, written to HDF5.\n\n{table(found, lengths)}\n\n{machine()}\n")
    print(block)
    (TOP / "build/bench.json").write_text(json.dumps({f"{what}, {n}": sides for (what, n), sides in found.items()}, indent=1))
    if not given.no_write and not given.quick:
        write(block)


if __name__ == "__main__":
    main()
