"""Every kind of position at 1,500 positions, and with --full at 8,000, against PyTorch in float64 at every hook point; and
shapes at their ends.

Angles are large there: a frequency or an angle rounded to float32 shows, which at 90 positions it does not. The bound is the
project's own, 5e-5. Rotary kinds keep it, where PyTorch float32 itself does not, by its angles (the references' attribute
float32_error: up to 1e-3); else it may be twice what PyTorch float32 is off: ALiBi adds hundreds to scores of a few units, and
some small random models are as touchy.
"""
import json

import h5py
import numpy as np
import pytest

import cache
import positions
import reference
from configs import NAMED
from measure import BOUND

KINDS = positions.KINDS | positions.EXTREMES
QUICK_TOO = ("default", "llama3", "alibi_rounded", "window")       # at 8,000 positions in every run
CASES = [pytest.param(name, n, marks=[pytest.mark.slow] * (n > 2 * positions.QUICK and name not in QUICK_TOO), id=f"{name}-{n}")
         for name, row in KINDS.items() for n in row["lengths"]]


def dump(tmp_path, name, n):
    """the rows of a kind's reference, as weir computes them: (the file open, the reference open)"""
    ref = h5py.File(positions.LONG / f"{name}_{n}.h5")
    model = positions.write(tmp_path / "model", json.loads(ref.attrs["config"]), json.loads(ref.attrs["shapes"]),
                            KINDS[name]["family"])
    hooks = "*" + (NAMED + ",mlp_in" if KINDS[name]["lens"] else "")
    rows = "+".join(map(str, ref["rows"][...]))
    run = cache.dump(tmp_path / "run.h5", model, [ref["tokens"][...]], hooks, positions=rows, next=3)
    return run.file, ref


@pytest.mark.parametrize("name, n", CASES)
def test_every_hook_point_matches_float64_at_long_positions(tmp_path, name, n):
    run, ref = dump(tmp_path, name, n)
    found = reference.errors(run, ref)
    assert len(found) > 20
    angles = n > positions.CONTEXT and "rot_q" in run["activations"]
    bound = BOUND if angles else max(BOUND, 2 * float(ref.attrs["float32_error"]))
    wrong = {point: e for point, e in found.items() if e is None or not e <= bound}
    assert not wrong, f"{len(wrong)} of {len(found)} points are off by more than {bound:.0e}: {wrong}"


@pytest.mark.parametrize("name, n", [(name, n) for name, row in positions.EXTREMES.items() for n in row["lengths"]])
def test_next_tokens_and_loss_match_float64(tmp_path, name, n):
    run, ref = dump(tmp_path, name, n)
    ids, logprobs, want = run["next/id"][0, -1], run["next/logprob"][0, -1], ref.attrs["top_logprobs"]
    assert ids.tolist() == ref.attrs["top_ids"].tolist()
    assert np.abs(logprobs - want).max() <= 2 * BOUND * np.abs(want).max()
    assert run["prompts/loss"][0] == pytest.approx(float(ref.attrs["loss"]), rel=BOUND, nan_ok=True)


REFUSING = [name for name in positions.EXTREMES if name.startswith("context")]


@pytest.mark.parametrize("name", REFUSING)
def test_one_position_more_than_the_context_is_refused(tmp_path, name):
    """as transformers does where positions are learned; it goes on where they rotate, past what the model was trained for"""
    ref = h5py.File(positions.LONG / f"{name}_{positions.CONTEXT}.h5")
    model = positions.write(tmp_path / "model", json.loads(ref.attrs["config"]), json.loads(ref.attrs["shapes"]), KINDS[name]["family"])
    ids = ",".join(["1"] * (positions.CONTEXT + 1))
    said = cache.weir("dump", "-m", model, "--tokens", ids, "-o", tmp_path / "run.h5", check=False)
    assert said.returncode == 2 and said.stderr == "weir: prompt 0 has 65 tokens, the model's context is 64: shorten it\n"
    assert not (tmp_path / "run.h5").exists()


def test_the_references_are_those_of_the_table():
    assert {p.stem for p in positions.LONG.iterdir()} == {f"{name}_{n}" for name, row in KINDS.items() for n in row["lengths"]}
