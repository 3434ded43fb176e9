"""docs/families.md on standard output: see script/families."""
import json
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "oracle")]

import h5py  # noqa: E402

import cache  # noqa: E402
import positions  # noqa: E402
import wrappers  # noqa: E402
import reference  # noqa: E402
from configs import CONFIGS, LENS  # noqa: E402
from make import FIXTURES  # noqa: E402

HEAD = """# Families

`script/families` writes this page from the code and the fixtures of `tests/model`. Every family is a row of `lib/model/family.c`
([adding a family](adding-a-family.md)). The error is max |a - b| over a row divided by the row's rms, the largest over all hook points
of a PyTorch float64 reference and all configurations, for prompts of up to 90 tokens; PyTorch float32's own error is beside it.
Configurations have random weights eight times the usual size, so that a mistake shows.

Each family reads the config.json keys that its configuration class in transformers 5.23 reads, with the same names and
precedence (`lib/model/keys.c`); other keys change nothing. `tests/model/test_config_keys.py`
compares every key of every family with transformers in each of the families, alone and together with others.

A GGUF file computes the same as the folder it was made from, bit by bit if the numbers are the same. It has fewer options than a
configuration; for the missing ones weir does what llama.cpp does: no sliding window for Mistral, Qwen and StarCoder 2, scores of
Gemma 2 and 3 scaled by the head's size (by the width in the largest). `tests/model/test_gguf.py` lists all such options.

| family | GGUF | configurations tested | error | PyTorch float32 | hook points beside the common ones |
|---|---|---|---|---|---|"""


INSIDE = """
## Text models inside of others

Models that see or hear are read for their text model, which is given text; `lib/model/wrapper.c` has a row of each. The reference is
transformers' class of the whole model on text.

Where scores are large, they amplify what rounding leaves in them: a pattern's worst row errs by several times more on one prompt than on
another, in PyTorch as in weir. Of four configurations (`draws` in `tests/model/wrappers.py`) PyTorch's error is therefore the largest
over 16 prompts, at each hook point by itself; `script/oracle tests/model/noise.py NAME` measures both over many prompts.
Over 24 prompts the root mean square of weir's error in the last layer was 0.8 to 1.1 times PyTorch's.

| model_type | text model | configurations tested | error | PyTorch float32 |
|---|---|---|---|---|"""

NAMED = """
## Configurations named after published models

They have small sizes, and the other keys as `tests/model/published` has them. Those files were written down from memory, not copied
from the models' pages: a key or a number may differ from what is published. The tests show that configurations of this kind run
right; the published weights were not run. Those of wrappers are in the table above, the others here.

| family | configurations tested | error | PyTorch float32 |
|---|---|---|---|"""


def inside_rows(scratch):
    """model_type -> names of its rows in wrappers.py, their families, the worst errors of weir and of PyTorch float32"""
    found = {}
    for name, row in wrappers.ROWS.items():
        names, families, worst = found.setdefault(row["config"]["model_type"], ([], [], [0.0, 0.0]))
        folder = positions.write(Path(scratch) / name, *wrappers.kept(name, "config", "shapes", "family"))
        errors = measure(folder, scratch, [wrappers.reference(name, n) for n in row["lengths"]])
        family = json.loads(cache.weir("info", folder, "--json").stdout)["family"]
        names.append(name)
        families += [family] if family not in families else []
        worst[:] = map(max, worst, errors)
    return found


def print_wrapped(scratch):
    rows = inside_rows(scratch)
    print(INSIDE)
    for model_type, (names, families, (error, torch)) in rows.items():
        if model_type in wrappers.TOWERS:
            print(f"| `{model_type}` | {', '.join(f'`{family}`' for family in families)} | {', '.join(names)} | {error:.1e} | {torch:.1e} |")
    print(NAMED)
    for model_type, (names, _, (error, torch)) in rows.items():
        if model_type not in wrappers.TOWERS:
            print(f"| `{model_type}` | {', '.join(names)} | {error:.1e} | {torch:.1e} |")


def gguf_names():
    """model_type -> the architecture name of GGUF files, in the order of the table"""
    rows = re.findall(r'\.model_type = "(\w+)",\s*(?:\.gguf = "([\w-]+)",)?', (cache.ROOT / "lib/model/family.c").read_text())
    return dict(rows)


def measure(folder, scratch, references=None):
    """the worst error of weir and of PyTorch float32 over a fixture's references"""
    worst, torch = 0.0, 0.0
    for ref in references or sorted(folder.glob("ref_*.h5")):
        with h5py.File(ref) as truth:
            ids = truth["tokens"][...].tolist()
            torch = max([torch, float(truth.attrs.get("float32_error", 0)), *json.loads(truth.attrs.get("float32_errors", "{}")).values()])
            run = dump(scratch, folder, ids)
            worst = max([worst, *(e for e in reference.errors(run.file, truth).values() if e is not None)])
            run.file.close()
    return worst, torch


def dump(scratch, folder, ids):
    path = Path(scratch) / "run.h5"
    path.unlink(missing_ok=True)
    return cache.dump(path, folder, [ids])


def points(folder):
    """what its models have that not all have, and have not that most have"""
    hooks = json.loads(cache.weir("hooks", "-m", folder, "--json").stdout)["hooks"]
    return {h["short"] for h in hooks}


def main():
    by_type, all_points = {}, []
    for name in [*FIXTURES, *CONFIGS, *LENS]:
        folder = cache.FIXTURES / name
        model_type = json.loads((folder / "config.json").read_text()).get("model_type", "HookedTransformer")
        by_type.setdefault(model_type, []).append(name)
    with tempfile.TemporaryDirectory() as scratch:
        rows = {}
        for model_type, names in by_type.items():
            errors = [measure(cache.FIXTURES / name, scratch) for name in names]
            rows[model_type] = (names, max(e for e, _ in errors), max(t for _, t in errors),
                                set().union(*(points(cache.FIXTURES / name) for name in names)))
            all_points.append(rows[model_type][3])
    common = set.intersection(*all_points)
    print(HEAD)
    for model_type, gguf in gguf_names().items():
        if model_type not in rows:
            continue
        names, error, torch, has = rows[model_type]
        print(f"| `{model_type}` | {f'`{gguf}`' if gguf else ''} | {', '.join(names)} | {error:.1e} | "
              f"{f'{torch:.1e}' if torch else ''} | {', '.join(sorted(has - common))} |")
    print(f"\nCommon to all: {', '.join(sorted(common))}; and, by name only, attn_in, q_input, k_input, v_input, mlp_in, result.")
    with tempfile.TemporaryDirectory() as scratch:
        print_wrapped(scratch)


if __name__ == "__main__":
    main()
