"""weir patch against TransformerLens's patching functions (fixtures made by tests/oracle/patching.py), and the grid itself."""
import csv
import io
import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
WEIR = os.environ.get("WEIR", str(HERE.parents[1] / "build/cli/weir"))
MODELS = ["gpt2", "llama"]
GRIDS = [f"{point}.{by}" for point, by in [("resid_pre", "position"), ("resid_mid", "position"), ("attn_out", "position"),
                                           ("mlp_out", "position"), ("z", "head"), ("q", "head"), ("k", "head"), ("v", "head"),
                                           ("pattern", "head"), ("z", "head-position"), ("q", "head-position"),
                                           ("k", "head-position"), ("v", "head-position"), ("pattern", "query"),
                                           ("pattern", "cell")]]
COLUMNS = {"position": ["layer", "position"], "head": ["layer", "unit"], "head-position": ["layer", "position", "unit"],
           "neuron": ["layer", "unit"], "query": ["layer", "unit", "position"],
           "cell": ["layer", "unit", "position", "key"]}


def run(*args):
    return subprocess.run([WEIR, "patch", *map(str, args)], capture_output=True, text=True)


def patch(tmp_path, model, pairs, *args):
    """-> rows of the CSV as dictionaries"""
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    result = run("-m", HERE / "fixtures" / model, "--pairs", file, "--csv", *args)
    assert result.returncode == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def reference(model, grid):
    with h5py.File(HERE / f"fixtures/patch_{model}.h5") as file:
        return json.loads(file.attrs["pairs"]), file["baseline"][...].astype(float), file[grid][...].astype(float)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("model", MODELS)
def test_patches_are_those_of_transformer_lens(tmp_path, model, grid):
    pairs, baseline, values = reference(model, grid)
    point, by = grid.split(".")
    rows = patch(tmp_path, model, pairs, "--at", point, "--by", by)
    at = tuple(np.array([[int(row[column]) for column in COLUMNS[by]] for row in rows]).T)
    assert len(rows) == (values[..., 0].size if by != "cell" else np.tril(values[0, 0, :, :, 0] * 0 + 1).sum() *
                         values.shape[0] * values.shape[1])
    want, size = values[at], np.abs(values - baseline[1]).max()
    assert size > 1e-2
    got = {name: np.array([float(row[name]) for row in rows]) for name in ("value", "stderr", "normalised")}
    clean, corrupt = baseline.mean(axis=1)
    assert np.abs(got["value"] - want.mean(axis=1)).max() < 1e-4
    assert np.abs(got["stderr"] - want.std(axis=1, ddof=1) / np.sqrt(len(pairs))).max() < 1e-4
    assert np.abs(got["normalised"] - (want.mean(axis=1) - corrupt) / (clean - corrupt)).max() < 1e-3
    assert {row["pairs"] for row in rows} == {str(len(pairs))}


def gpt2_pairs():
    with h5py.File(HERE / "fixtures/patch_gpt2.h5") as file:
        return json.loads(file.attrs["pairs"])


def values(rows, name="value"):
    return np.array([float(row[name]) for row in rows])


def test_noising_is_denoising_with_the_sides_exchanged(tmp_path):
    pairs = gpt2_pairs()[:1]
    turned = [dict(pair, clean=pair["corrupt"], corrupt=pair["clean"]) for pair in pairs]
    for point, by in [("resid_pre", "position"), ("z", "head")]:
        noised = patch(tmp_path, "gpt2", pairs, "--at", point, "--by", by, "--direction", "noise")
        denoised = patch(tmp_path, "gpt2", turned, "--at", point, "--by", by)
        assert [row["value"] for row in noised] == [row["value"] for row in denoised]
        assert np.allclose(values(noised, "normalised"), 1 - values(denoised, "normalised"), atol=1e-5)


def test_a_selection_narrows_the_grid_and_changes_no_cell_of_it(tmp_path):
    pairs = gpt2_pairs()
    all_cells = {(row["layer"], row["position"]): row for row in patch(tmp_path, "gpt2", pairs, "--at", "resid_pre")}
    some = patch(tmp_path, "gpt2", pairs, "--at", "resid_pre:1:@2+-1")
    assert {(row["layer"], row["position"]) for row in some} == {(a, b) for a in "12" for b in "26"}
    assert all(row == all_cells[row["layer"], row["position"]] for row in some)
    neurons = patch(tmp_path, "gpt2", pairs, "--at", "mlp_post:1.5+7")
    assert [(row["layer"], row["unit"]) for row in neurons] == [("1", "5"), ("1", "7")]
    assert {row["point"] for row in patch(tmp_path, "gpt2", pairs, "--at", "z:0,k:2.1")} == {"z", "k"}


def test_a_cell_that_some_pairs_lack_is_compared_with_those_that_have_it(tmp_path):
    long = {"clean": [1, 2, 3, 4, 5], "corrupt": [7, 2, 3, 4, 5], "answer": 17, "wrong": 30}
    short = {"clean": [9, 2], "corrupt": [8, 2], "answer": 40, "wrong": 3}
    for direction, unchanged in (("denoise", 0), ("noise", 1)):
        rows = patch(tmp_path, "gpt2", [long, short], "--at", "resid_pre", "--metric", "entropy@0", "--direction", direction)
        assert {row["pairs"] for row in rows} == {"1", "2"}
        for row in rows:                        # later positions have no part in the first one's prediction
            assert float(row["normalised"]) == pytest.approx(unchanged if row["position"] != "0" else 1 - unchanged, abs=1e-5), row
    alone = patch(tmp_path, "gpt2", [long], "--at", "resid_pre")
    both = patch(tmp_path, "gpt2", [long, short], "--at", "resid_pre")
    later = [[float(row["normalised"]) for row in rows if int(row["position"]) > 1] for rows in (alone, both)]
    assert len(later[0]) == 9 and later[1] == pytest.approx(later[0], abs=1e-5)


def test_everything_at_one_point_is_the_clean_prompt(tmp_path):
    pair = gpt2_pairs()[0]
    far = [dict(pair, corrupt=pair["clean"][:-1] + [99])]
    rows = patch(tmp_path, "gpt2", far, "--at", "resid_pre")
    last = [float(row["normalised"]) for row in rows if row["position"] == "6"]
    assert np.allclose(last, 1, atol=1e-5)      # the only position that differs
    assert all(float(row["normalised"]) == 0 for row in rows if row["position"] != "6")


def test_pairs_of_different_lengths_share_a_grid(tmp_path):
    pairs = gpt2_pairs()
    short = dict(pairs[1], clean=pairs[1]["clean"][:4], corrupt=pairs[1]["corrupt"][:4])
    rows = {(row["layer"], row["position"]): row for row in patch(tmp_path, "gpt2", [pairs[0], short], "--at", "resid_pre")}
    alone = {(row["layer"], row["position"]): row for row in patch(tmp_path, "gpt2", [pairs[0]], "--at", "resid_pre")}
    assert rows["1", "5"]["pairs"] == "1" and rows["1", "5"]["value"] == alone["1", "5"]["value"]
    assert rows["1", "5"]["stderr"] == "" and rows["1", "3"]["pairs"] == "2" and rows["1", "3"]["stderr"] != ""


def test_metrics_are_measured_side_by_side(tmp_path):
    pairs = gpt2_pairs()
    metrics = ["logit(answer)", "logit(wrong)", "logprob(answer)", "prob(answer)", "rank(wrong)", "entropy",
               "logit(answer) - logit(wrong)", "2 * logit(17) + 1", "logit(answer)@3", "logit(answer)@3+-1", "sum(logit(answer)@3+-1)"]
    rows = patch(tmp_path, "gpt2", pairs[:1], *(part for metric in metrics for part in ("--metric", metric)))
    by = {metric: values([row for row in rows if row["metric"] == metric]) for metric in metrics}
    assert np.allclose(by["logit(answer)"] - by["logit(wrong)"], by["logit(answer) - logit(wrong)"], atol=1e-5)
    assert np.allclose(np.exp(by["logprob(answer)"]), by["prob(answer)"], atol=1e-6)
    assert np.allclose(by["2 * logit(17) + 1"], 2 * by["logit(answer)"] + 1, atol=1e-5)
    assert np.allclose((by["logit(answer)"] + by["logit(answer)@3"]) / 2, by["logit(answer)@3+-1"], atol=1e-5)
    assert np.allclose(2 * by["logit(answer)@3+-1"], by["sum(logit(answer)@3+-1)"], atol=1e-5)
    alone = values(patch(tmp_path, "gpt2", pairs[:1], "--metric", "logit(answer)@3"))
    assert np.allclose(alone, by["logit(answer)@3"], atol=1e-5) and len(set(alone)) > 3
    assert (by["entropy"] > 0).all() and (by["rank(wrong)"] == np.round(by["rank(wrong)"])).all()


@pytest.mark.parametrize("change, args, words", [
    (dict(corrupt=[1, 2]), [], "line 1"),
    (dict(answer=None), [], "character 7: prompt 0: it has no field 'answer'"),
    (dict(answer=900), [], "900 is no token that the model predicts: they go from 0 to 210"),
    (dict(clean=3), [], "line 1, column 11: a prompt must be"),
    ({}, ["--metric", "kl(#0)"], "kl(#0): character 1: a metric of patches reads its own pair"),
    ({}, ["--metric", "1 - logit(answer)#other"], "character 5: a metric of patches reads its own pair"),
    ({}, ["--metric", "sum([z:0#1])"], "character 5: a metric of patches reads its own pair"),
    ({}, ["--metric", "loss@9"], "loss@9: character 1: prompt 0: position 9"),
    ({}, ["--metric", "logit(answer"], "--metric: character"),
    ({}, ["--at", "resid_pre", "--by", "head"], "resid_pre has nothing to be patched by head"),
    ({}, ["--at", "resid_pre:.3", "--by", "position"], "by position whole rows are patched"),
    ({}, ["--at", "z@3", "--by", "head"], "by head all positions are patched"),
    ({}, ["--at", "rot_q"], "rot_q"),
])
def test_what_cannot_be_patched_is_refused(tmp_path, change, args, words):
    pair = {key: value for key, value in (gpt2_pairs()[0] | change).items() if value is not None}
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(pair) + "\n")
    result = run("-m", HERE / "fixtures/gpt2", "--pairs", file, *args)
    assert result.returncode in (2, 3, 4) and words in result.stderr and result.stdout == "", result.stderr


def test_the_file_has_what_the_csv_has(tmp_path):
    out = tmp_path / "g.h5"
    args = ["--at", "z,k,resid_pre:1@2,embed@*,pattern:0", "--metric", "logit(answer)", "--metric", "logit(answer) - logit(wrong)", "-o",
            out]
    rows = patch(tmp_path, "llama", gpt2_pairs(), *args)
    assert subprocess.run([WEIR, "validate", out], capture_output=True).returncode == 0
    names = {"value": "", "stderr": "_stderr", "normalised": "_normalised"}
    with h5py.File(out) as file:
        grids = file["results/patch"]
        assert {name: [dim.label for dim in grids[name].dims] for name in grids if not name.endswith(("_stderr", "_normalised", "_pairs"))} == {
            "embed": ["metric", "pos"], "k": ["metric", "layer", "kv_head"], "pattern": ["metric", "layer", "head"],
            "resid_pre": ["metric", "layer", "pos"], "z": ["metric", "layer", "head"]}
        for column, suffix in names.items():
            for point in ("z", "k", "resid_pre", "embed", "pattern"):
                grid = grids[point + suffix]
                metrics = json.loads(grid.attrs["metrics"])
                seen = np.full(grid.shape, np.nan)
                for row in (row for row in rows if row["point"] == point):
                    at = [row["layer"]] * (point != "embed") + [row["unit"] or row["position"]]
                    seen[(metrics.index(row["metric"]), *map(int, at))] = float(row[column])
                assert np.allclose(seen, grid[...], equal_nan=True, rtol=1e-6, atol=1e-6)
                assert np.isfinite(grid[...]).any()
            pairs = {tuple(map(int, row["layer"] + row["unit"])): int(row["pairs"]) for row in rows if row["point"] == "k"}
            assert all(grids["k_pairs"][cell] == n for cell, n in pairs.items()) and len(pairs) == grids["k_pairs"].size
        attrs = grids["z"].attrs
        assert (attrs["direction"], attrs["by"], attrs["pairs"][0]) == ("denoise", "head", 2)
        assert attrs["edits"] == "z:LAYER.HEAD#corrupt = [#clean]" and grids["embed"].attrs["edits"] == "embed@POS#corrupt = [#clean]"
        assert attrs["baseline_clean"].shape == (2,) and json.loads(file["prompts/fields"][0])["answer"] == 17
        normalised = (grids["z"][0] - attrs["baseline_corrupt"][0]) / (attrs["baseline_clean"][0] - attrs["baseline_corrupt"][0])
        assert np.allclose(normalised, grids["z_normalised"][0], atol=1e-4)


def test_an_existing_file_is_refused_before_anything_runs_and_replaced_if_told(tmp_path):
    out = tmp_path / "g.h5"
    out.write_text("precious")
    args = ["--clean", "a b c", "--corrupt", "a d c", "--metric", "logit(5)", "-o", out]
    result = run(*args)
    assert result.returncode == 5 and out.read_text() == "precious" and list(tmp_path.iterdir()) == [out], result.stderr
    assert run(*args, "--force").returncode == 0 and out.read_bytes()[:4] == b"\x89HDF"


def test_given_prompts_of_unequal_lengths_are_refused():
    result = run("--clean", "one two three", "--corrupt", "one", "--answer", " a", "--wrong", " b")
    assert result.returncode == 3 and "one| two| three| and |" in result.stderr


def test_the_terminal_shows_the_grid_and_the_strongest_cells():
    args = ["--clean", "The cat sat on the mat. The cat sat", "--corrupt", "The dog ran by the mat. The cat sat",
            "--answer", " on", "--wrong", " by", "--threads", "1"]
    result = run(*args, "--at", "resid_pre")
    assert result.stdout.startswith("resid_pre by position, denoise, normalised, 1 pair: logit(answer) - logit(wrong) is ")
    assert [line.split()[0] for line in result.stdout.splitlines()[3:7]] == ["0", "1", "2", "3"]
    result = run(*args, "--at", "pattern", "--by", "cell", "--top", "3")
    assert result.stdout.splitlines()[1].split() == ["layer", "head", "query", "key", "value", "stderr", "normalised"]
    assert len(result.stdout.splitlines()) == 5
