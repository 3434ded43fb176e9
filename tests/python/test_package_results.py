"""cache.results: what weir patch stored is what it printed, with names for the axes."""
import csv
import io
import json
import math

import h5py
import numpy as np
import pytest
import weir

METRICS = ["logit(answer) - logit(wrong)", "logprob(answer)"]
# of 7, 5 and 7 tokens: cells of the last two positions are of two pairs
PAIRS = [{"clean": [5, 7, 9, 11, 100, 3, 2], "corrupt": [5, 7, 9, 12, 100, 3, 2], "answer": [1], "wrong": [2]},
         {"clean": [4, 5, 6, 7, 8], "corrupt": [4, 8, 6, 7, 8], "answer": [3], "wrong": [4]},
         {"clean": [9, 8, 7, 6, 5, 4, 3], "corrupt": [1, 8, 7, 6, 5, 4, 3], "answer": [5], "wrong": [6]}]
AXES = {"layer": "layer", "pos": "position", "query": "position", "key": "key", "head": "unit", "kv_head": "unit"}


def patch(folder, weir_cli, model, *args, pairs=PAIRS):
    """-> the file, and the rows that were printed"""
    lines, out = folder / "pairs.jsonl", folder / "grids.h5"
    lines.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    metrics = [f"--metric={metric}" for metric in METRICS]
    done = weir_cli("patch", "-m", model, "--pairs", lines, *metrics, *args, "--csv", "-o", out)
    return out, list(csv.DictReader(io.StringIO(done.stdout)))


def number(text):
    return float(text) if text else math.nan


@pytest.mark.parametrize("at, by, dims", [
    ("resid_pre,embed@*", "position", {"resid_pre": "layer pos", "embed": "pos"}),
    ("z,k:1", "head", {"z": "layer head", "k": "layer kv_head"}),
    ("z", "head-position", {"z": "layer pos head"}),
    ("pattern:0", "query", {"pattern": "layer head query"}),
])
def test_results_are_what_was_printed(tmp_path, weir_cli, models, at, by, dims):
    path, rows = patch(tmp_path, weir_cli, models / "gpt2", "--at", at, "--by", by)
    cache = weir.open(path)
    assert set(cache.results) == {f"patch/{point}" for point in dims} and len(cache.results) == len(dims)
    for name, grid in cache.results.items():
        assert grid.dims == ("metric", *dims[name[6:]].split()) and grid.metrics == METRICS
        got, seen = [grid.values, grid.stderr, grid.normalised], np.zeros(grid.values.shape, bool)
        for row in rows:
            if row["point"] != name[6:]:
                continue
            cell = tuple(int(row[AXES[dim]]) for dim in grid.dims[1:])
            seen[at := (METRICS.index(row["metric"]), *cell)] = True
            assert grid.pairs[cell] == int(row["pairs"])
            want = [number(row[column]) for column in ("value", "stderr", "normalised")]
            np.testing.assert_allclose([values[at] for values in got], want, rtol=1e-6, atol=1e-7)
        assert seen.any() and all(np.isnan(values[~seen]).all() for values in got) and (grid.pairs[~seen[0]] == 0).all()
    if by == "position":
        assert (cache.results["patch/resid_pre"].pairs == [3, 3, 3, 3, 3, 2, 2]).all()


def test_a_grid_says_what_is_without_patches(tmp_path, weir_cli, models):
    path, _ = patch(tmp_path, weir_cli, models / "gpt2", "--at", "resid_pre", "--direction", "noise")
    grid = weir.open(path).results["patch/resid_pre"]
    with h5py.File(path) as file:
        attrs = dict(file["results/patch/resid_pre"].attrs)
    assert list(grid.baselines) == METRICS
    for i, (clean, corrupt) in enumerate(grid.baselines.values()):
        assert (clean, corrupt) == (attrs["baseline_clean"][i], attrs["baseline_corrupt"][i]) and clean != corrupt
    assert (grid.attrs["direction"], grid.attrs["by"], grid.base) == ("noise", "position", None)


def test_xarray_selects_by_metric_and_has_the_tokens_of_a_single_pair(tmp_path, weir_cli, models):
    path, _ = patch(tmp_path, weir_cli, models / "gpt2", "--at", "resid_pre", pairs=PAIRS[:1])
    cache = weir.open(path)
    grid, data = cache.results["patch/resid_pre"], cache.results["patch/resid_pre"].to_xarray()
    picked = data.normalised.sel(metric=METRICS[1], layer=2)
    np.testing.assert_array_equal(picked, grid.normalised[1, 2])
    assert picked.token.values.tolist() == cache.tokens[0] and data.pairs.dims == ("layer", "pos")
    assert np.isnan(grid.stderr).all() and np.isnan(data.stderr).all()
    path, _ = patch(tmp_path, weir_cli, models / "gpt2", "--at", "resid_pre", "--force")
    assert "token" not in weir.open(path).results["patch/resid_pre"].to_xarray().coords


def test_what_is_not_there_is_named_with_what_is(tmp_path, weir_cli, models):
    path, _ = patch(tmp_path, weir_cli, models / "gpt2", "--at", "z")
    cache = weir.open(path)
    with pytest.raises(KeyError, match=r"patch/zz is not stored \(nearest: patch/z.*has patch/z"):
        cache.results["patch/zz"]
    assert repr(cache.results) == "results:\n  patch/z [metric 2, layer 3, head 4] and stderr, normalised, pairs"
    with weir.dump([1, 2, 3], models / "gpt2", "z") as without:
        assert dict(without.results) == {} and repr(without.results) == "no results"
        results = without.results
    with pytest.raises(weir.Error, match="closed"):
        list(results)


def test_metrics_are_those_of_the_run(models, weir_cli, tmp_path):
    prompts = [{"ids": [5, 7, 9, 11, 3], "answer": 17}, {"ids": [4, 8, 2], "answer": 3}]
    metrics = ["logprob(answer)", "rank(answer)"]
    result = weir.dump(prompts, models / "gpt2", "z", metrics=metrics).results["metrics"]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts))
    printed = json.loads(weir_cli("run", "-m", models / "gpt2", "-f", tmp_path / "p.jsonl", *(f"--metric={m}" for m in metrics), "--json").stdout)
    want = [[prompt["metrics"][m]["value"] for prompt in printed["prompts"]] for m in range(2)]
    np.testing.assert_allclose(result.values, want, rtol=1e-6)
    assert (result.dims, result.metrics, result.units) == (("metric", "prompt"), metrics, ["nats", ""])
    assert result.base is None and result.kl is None
    assert result.to_xarray().value.sel(metric="rank(answer)", prompt=1) == result[1, 1]
    with pytest.raises(weir.Error, match=r"^metrics 'logit\(answer'"):
        weir.dump(prompts, models / "gpt2", "z", metrics=["logit(answer"])
    with pytest.raises(weir.Error, match="nobody"):
        weir.dump(prompts, models / "gpt2", "z", metrics=["logit(nobody)"])


def test_what_is_without_edits_stands_beside_the_metrics(models, weir_cli, tmp_path):
    path = tmp_path / "m.h5"
    weir_cli("run", "-m", models / "gpt2", "--tokens", "3,4,5", "--tokens", "6,7", "--ablate", "z:0", "--against", "base", "--metric", "entropy", "-o", path)
    cache = weir.open(path)
    result = cache.results["metrics"]
    assert list(cache.results) == ["metrics"] and result.base.shape == (1, 2) and (result.base != result.values).all()
    assert result.kl.shape == (2,) and (result.kl > 0).all() and result.to_xarray().kl.dims == ("prompt",)


def test_results_of_other_programs_are_arrays_too(tmp_path, models):
    path = tmp_path / "run.h5"
    weir.dump([1, 2, 3], models / "gpt2", "z", path).close()
    with h5py.File(path, "r+") as file:
        file["results/probe/weights"] = np.arange(6, dtype="f8").reshape(2, 3)
        file["results/elsewhere"] = h5py.ExternalLink("other.h5", "/x")
        file["results/soft"] = h5py.SoftLink("/prompt")
    result = weir.open(path).results["probe/weights"]
    assert list(weir.open(path).results) == ["probe/weights"]
    assert result.dims == ("", "") and result.metrics == [] and result.baselines == {}
    np.testing.assert_array_equal(np.asarray(result), np.arange(6).reshape(2, 3))
