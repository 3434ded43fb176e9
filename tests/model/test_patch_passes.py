"""Every cell of weir patch is what a whole pass of weir run with the same edit measures, by every metric of the grammar."""
import csv
import io
import json
import os
import random
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
WEIR = os.environ.get("WEIR", str(HERE.parents[1] / "build/cli/weir"))
FAMILIES = ["gpt2", "llama", "gemma2", "mixtral"]
PAIR = {"clean": [1, 22, 3, 4, 57, 6, 7], "corrupt": [1, 9, 3, 4, 11, 6, 7], "answer": {"clean": 17, "corrupt": 18}, "wrong": [30, 2],
        "subject": {"clean": [1, 4], "corrupt": [1, 4]}}
# --at, --by, and the edit of one row of the CSV
KINDS = {
    "position": ("resid_pre,attn_out,mlp_out", "{point}:{layer}@{position}"),
    "head": ("z,k,pattern", "{point}:{layer}.{unit}"),
    "head-position": ("q,v", "{point}:{layer}.{unit}@{position}"),
    "neuron": ("mlp_post:1.:6", "{point}:{layer}.{unit}"),
    "query": ("pattern:1", "{point}:{layer}.{unit}@{position}"),
    "cell": ("pattern:1.1", "{point}:{layer}.{unit}@{position}/{key}"),
}
METRICS = ["logit(answer) - logit(wrong)", "2 * logprob(answer)@3 + 1", "prob(wrong)@-2:", "rank(answer)", "loss", "sum(loss@1:)",
           "loss@subject", "sum(entropy@:)", "kl(#clean)", "sum(kl(#clean)@subject)", "kl(#base)@:", "logit(answer)#base - logit(answer)",
           "[resid_post:1@-1]", "[resid_pre:1.3@subject] - [z:0+1.1@:]", "sum([pattern:1.0@2:/1])", "[attn_scores:2.1@4/2]", "[resid_mid:1.5@2#clean]",
           "dot(resid_mid:1@3, {vector})", "[ln_final_out@2:4]", "[embed@1]", "1"]


def weir(*args):
    result = subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def d_model(model):
    return json.loads((HERE / "fixtures" / model / "config.json").read_text()).get("hidden_size") or json.loads(
        (HERE / "fixtures" / model / "config.json").read_text())["n_embd"]


class Pair:
    """a pair in a file, with metrics that this model has"""

    def __init__(self, folder, model, pair=PAIR):
        self.model, self.file, vector = HERE / "fixtures" / model, folder / "pairs.jsonl", folder / "vector.npy"
        self.file.write_text(json.dumps(pair) + "\n")
        np.save(vector, np.random.default_rng(1).normal(size=d_model(model)).astype(np.float32))
        self.metrics = [metric.format(vector=vector) for metric in METRICS]

    def options(self):
        return [part for metric in self.metrics for part in ("--metric", metric)]

    def patch(self, *args):
        """-> {cell: {metric: value}}; a cell is the names of its point and indices as items"""
        cells = {}
        for row in csv.DictReader(io.StringIO(weir("patch", "-m", self.model, "--pairs", self.file, "--csv", *self.options(), *args))):
            cell = tuple((name, row[name]) for name in ("point", "layer", "unit", "position", "key"))
            cells.setdefault(cell, {})[row["metric"]] = float(row["value"])
        return cells

    def whole_pass(self, side, *args):
        """-> {metric: value}, of that side"""
        prompts = json.loads(weir("run", "-m", self.model, "-f", self.file, "--side", "clean", "--side", "corrupt", "--json", "--top", "1",
                                  *self.options(), *args))["prompts"]
        return {entry["metric"]: entry["value"] for entry in prompts[side == "corrupt"]["metrics"]}


def apart(got, want):
    """-> the metrics that are not equal to 1e-5, with both values"""
    return {metric: (got.get(metric), want[metric]) for metric in want
            if not abs(got.get(metric, np.nan) - want[metric]) < 1e-5 * max(1, abs(want[metric]))}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("by", KINDS)
@pytest.mark.parametrize("model", FAMILIES)
def test_cells_are_whole_passes(tmp_path, model, by, threads):
    pair, (at, edit) = Pair(tmp_path, model), KINDS[by]
    if (model, by) == ("mixtral", "neuron"):
        pytest.skip("its neurons are those of experts")
    cells = pair.patch("--at", at, "--by", by, "--threads", threads)
    for cell in random.Random(threads).sample(sorted(cells), 5):
        want = pair.whole_pass("corrupt", "--threads", threads, "--edit", edit.format(**dict(cell)) + "#corrupt = [#clean]")
        assert apart(cells[cell], want) == {}, cell


# what heads read and write; key-value heads' copies stand beside keys that an earlier pass has kept
@pytest.mark.parametrize("by", ["head", "head-position"])
@pytest.mark.parametrize("point", ["attn_in", "q_input", "k_input", "v_input", "result"])
@pytest.mark.parametrize("model", FAMILIES + ["gptj", "olmo2", "gpt_bigcode"])
def test_cells_of_what_heads_read_and_write_are_whole_passes(tmp_path, model, point, by):
    pair, cells = Pair(tmp_path, model), {}
    pair.metrics = ["logit(answer) - logit(wrong)", "kl(#clean)", "sum(loss@1:)"]
    for threads in 1, 2, 5:
        cells[threads] = pair.patch("--at", point, "--by", by, "--threads", threads)
    assert cells[1] == cells[2] == cells[5]
    last = [cell for cell in cells[1] if cell[1] == ("layer", "2")]
    choose = random.Random(f"{point} {by}")
    for cell in choose.sample(sorted(cells[1]), 3) + choose.sample(sorted(last), min(2, len(last))):
        edit = "{point}:{layer}.{unit}" + ("@{position}" if by == "head-position" else "")
        want = pair.whole_pass("corrupt", "--edit", edit.format(**dict(cell)) + "#corrupt = [#clean]")
        assert apart(cells[1][cell], want) == {}, cell


def test_without_a_way_from_corrupt_to_clean_no_cell_is_a_part_of_it(tmp_path):
    pair = Pair(tmp_path, "llama")
    rows = csv.DictReader(io.StringIO(weir("patch", "-m", pair.model, "--pairs", pair.file, "--csv", "--at", "z:1", "--metric", "kl(#base)")))
    assert {row["normalised"] for row in rows} == {""}


# edits that hold in all passes; the second of a pair is what the model must have for it
HELD = ["z:0.1 = 0", "resid_pre:1.3@2 += 1", "resid_pre:2 *= 0.5", "mlp_out:1@-1#corrupt = [#clean]", "ln1_scale,ln2_scale,ln_final_scale = [#base]",
        "z:1.0#corrupt = [#clean]", "z:1.0#clean = [#base]", "attn_scores:1.0@4:/2 = -inf", "pattern:2@-1#corrupt = [#clean]", "k:1.h1@3 = 0",
        "v_input:2.h0@1:5 *= 2", "q_input:1.1 *= 0.5", "attn_in:2.0@3 = 0", "z:1 = mean([@:])", "resid_post:1 = [resid_pre:1]",
        "resid_mid:1@3 += [resid_mid:0@1]", "resid_post:2@-1 = [resid_post:0@2]", "embed@subject#corrupt += noise(0.3, 1)",
        "attn_out:2@1: += noise(0.3, 2)", "resid_mid:1@3: += 2 * {vector}", "resid_post:1 = 0 along {vector}", "ln_final_out@-1 *= 2"]


BY_QUERY_HEAD = ["k:1.h1", "v_input:2.h0", "attn_in"]


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("model", FAMILIES)
def test_edits_hold_in_every_pass(tmp_path, model, held):
    pair, held = Pair(tmp_path, model), held.format(vector=tmp_path / "vector.npy")
    for by, (at, edit) in KINDS.items():
        if (model, by) == ("mixtral", "neuron"):
            continue
        if any(point in held for point in BY_QUERY_HEAD):       # of which a key-value head's cell is no part
            at = at.replace(",k", "").replace("q,v", "q")
        cells = pair.patch("--at", at, "--by", by, "--edit", held)
        for cell in random.Random(by).sample(sorted(cells), 2):
            want = pair.whole_pass("corrupt", "--edit", held, "--edit", edit.format(**dict(cell)) + "#corrupt = [#clean]")
            assert apart(cells[cell], want) == {}, (by, cell)


def test_ablations_act_in_order_with_edits_and_are_stored(tmp_path):
    pair, out = Pair(tmp_path, "gpt2"), tmp_path / "g.h5"
    edits = ["--ablate", "z:0.1=mean", "--edit", "z:0.1 *= 2"]
    cells = pair.patch("--at", "z:1", *edits, "-o", out)
    want = pair.whole_pass("corrupt", *edits, "--edit", "z:1.1#corrupt = [#clean]")
    assert apart(cells[("point", "z"), ("layer", "1"), ("unit", "1"), ("position", ""), ("key", "")], want) == {}
    with h5py.File(out) as file:
        held = json.loads(file["results/patch/z"].attrs["held"])
    assert [edit["select"] for edit in held] == ["z:0.1", "z:0.1"] and weir("validate", out) is not None


def test_chance_is_that_of_the_prompts_number_in_all_pairs(tmp_path):
    pair, noise = Pair(tmp_path, "gpt2"), "embed@1#corrupt += noise(0.3, 1)"
    many = [{**PAIR, "clean": PAIR["clean"] * 13, "corrupt": PAIR["corrupt"] * 13} for _ in range(14)]
    pair.file.write_text("".join(json.dumps(one) + "\n" for one in many))      # more positions than a batch has
    pair.metrics = ["logit(answer)"]
    cells = pair.patch("--at", "resid_pre:1@3", "--edit", noise)
    prompts = json.loads(weir("run", "-m", pair.model, "-f", pair.file, "--side", "clean", "--side", "corrupt", "--json", *pair.options(),
                              "--edit", noise, "--edit", "resid_pre:1@3#corrupt = [#clean]"))["prompts"]
    want = np.mean([prompt["metrics"][0]["value"] for prompt in prompts[1::2]])
    assert [round(cell["logit(answer)"], 5) for cell in cells.values()] == [pytest.approx(want, abs=2e-5)]


UNEQUAL = {**PAIR, "corrupt": [1, 3, 9, 9, 9, 4, 11, 6, 7], "subject": {"clean": [4, 1], "corrupt": [6, 2]}}


@pytest.mark.parametrize("by, at, edit", [
    ("position", "resid_pre,mlp_out:1,embed", "{site}@subject[{position}]#corrupt = [@subject[{position}]#clean]"),
    ("head-position", "v,z:1", "{site}.{unit}@subject[{position}]#corrupt = [@subject[{position}]#clean]")])
@pytest.mark.parametrize("direction", ["denoise", "noise"])
@pytest.mark.parametrize("model", FAMILIES)
def test_positions_of_a_field_are_patched_with_those_of_the_other_side(tmp_path, model, by, at, edit, direction):
    pair = Pair(tmp_path, model, UNEQUAL)
    pair.metrics = [metric for metric in pair.metrics if "#" not in metric or direction == "denoise"]    # a side is meant unpatched
    cells = pair.patch("--at", ",".join(term + "@subject" for term in at.split(",")), "--by", by, "--direction", direction)
    assert {dict(cell)["position"] for cell in cells} == {"0", "1"}
    for cell in sorted(cells)[::3]:
        names = dict(cell, site=dict(cell)["point"] + (":" + dict(cell)["layer"] if dict(cell)["layer"] else ""))
        text = edit.format(**names)
        if direction == "noise":
            text = text.replace("#corrupt", "#c").replace("#clean", "#corrupt").replace("#c ", "#clean ")
        want = pair.whole_pass("clean" if direction == "noise" else "corrupt", "--edit", text)
        assert apart(cells[cell], want) == {}, cell


def test_a_grid_by_field_says_so(tmp_path):
    pair, out = Pair(tmp_path, "gpt2", UNEQUAL), tmp_path / "g.h5"
    args = ["patch", "-m", pair.model, "--pairs", pair.file, "--at", "resid_pre@subject"]
    text = weir(*args, "-o", out, "--metric", "loss")
    assert text.splitlines()[1].split() == ["layer", "subject"] or "subject" in text.splitlines()[1]
    with h5py.File(out) as file:
        grid = file["results/patch/resid_pre"]
        assert grid.attrs["field"] == "subject" and grid.shape == (1, 3, 9) and np.isfinite(grid[0]).all(axis=0).tolist() == [True] * 2 + [False] * 7
        assert grid.attrs["edits"] == "resid_pre:LAYER@subject[POS]#corrupt = [@subject[POS]#clean]"
    assert "</svg>" in weir(*args, "--svg", "-")


@pytest.mark.parametrize("pair, args, words", [
    (UNEQUAL, ["--at", "resid_pre"], "|1|22|3|4|57|6|7| and |1|3|9|9|9|4|11|6|7|"),
    (UNEQUAL, ["--at", "resid_pre@subject+-1"], "|1|22|3|4|57|6|7| and"),
    (UNEQUAL, ["--at", "z@subject", "--by", "head"], "by head positions cannot be named by field"),
    (UNEQUAL, ["--at", "pattern@subject", "--by", "query"], "pair 0: pattern has keys"),
    (UNEQUAL, ["--at", "resid_pre:0@subject,resid_pre:1@other"], "name the positions of resid_pre by one field"),
    (UNEQUAL, ["--at", "resid_pre@subject,resid_pre:1@subject"], "name the positions of resid_pre by one field"),
    (UNEQUAL, ["--at", "resid_pre@subject", "--to", "resid_post:-1"], "a path takes positions by number"),
    ({**UNEQUAL, "subject": {"clean": 1, "corrupt": [1, 2]}}, ["--at", "resid_pre@subject"], "names 1 positions of the one and 2"),
    ({**UNEQUAL, "subject": {"clean": 1}}, ["--at", "resid_pre@subject"], "subject"),
    (PAIR, ["--edit", "z:1#1 = 0"], "a sweep edits all prompts, or a side"),
    (PAIR, ["--edit", "z:1#corrupt = [z:0#corrupt]"], "reads itself here by a name"),
    (PAIR, ["--edit", "z:1 = 0", "--to", "resid_post:-1"], "--edit cannot be combined with --to"),
    (PAIR, ["--edit", "z:9 = 0"], "--edit: character 3: layer 9"),
])
def test_what_a_sweep_cannot_do_is_refused(tmp_path, pair, args, words):
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({**pair, "other": {"clean": [0], "corrupt": [0]}}) + "\n")
    result = subprocess.run([WEIR, "patch", "-m", HERE / "fixtures/gpt2", "--pairs", file, *args], capture_output=True, text=True)
    assert result.returncode in (2, 3, 4) and words in result.stderr and result.stdout == "", result.stderr
