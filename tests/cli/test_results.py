"""Results in a file: what is wrong with one is named, by weir validate and by what reads it."""
import json
import shutil

import h5py
import numpy as np
import pytest

from program import FIXTURES, INPUT, weir

PAIR = ["--pairs", "pair.jsonl", "--metric", "logit(3)"]


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    """the file of weir patch at z and resid_pre, two metrics"""
    folder = tmp_path_factory.mktemp("results")
    (folder / "pair.jsonl").write_text('{"clean": [5, 7, 9, 11], "corrupt": [5, 8, 9, 11]}\n')
    done = weir(folder, "patch", "-m", FIXTURES / "gpt2", *PAIR, "--metric", "prob(4)", "--at", "z,resid_pre", "-o", "g.h5")
    assert done.returncode == 0, done.stderr.decode()
    return folder / "g.h5"


def put(name, values, like=None, **attrs):
    """-> what replaces a dataset by one of other values, with the labels and attributes that it had"""
    def change(file):
        old = file[name]
        kept, labels = {k: v for k, v in old.attrs.items() if not k.isupper()} | attrs, [d.label for d in old.dims]
        values_of = values(old[...]) if callable(values) else values
        del file[name]
        new = file.create_dataset(name, data=values_of)
        new.attrs.update(kept)
        for dim, label in zip(new.dims, like or labels):
            dim.label = label
            dim.attach_scale(file[label])
    return change


def set_at(name, at, value):
    def change(file):
        file[name][at] = value
    return change


def set_attribute(name, key, value):
    def change(file):
        file[name].attrs[key] = value
    return change


Z = "results/patch/z"
DAMAGES = [
    (set_at(f"{Z}_stderr", (0, 1, 2), -0.5), "/results/patch/z_stderr: element 6 is -0.5"),
    (set_at(f"{Z}_pairs", (2, 3), 2), "/results/patch/z_pairs: element 11 is 2"),
    (put(Z, lambda old: old.astype("f8")), "must hold float32"),
    (put(Z, lambda old: old.swapaxes(1, 2)), "is not labelled as a dimension of the file, or is not as long"),
    (put(Z, lambda old: old[0], like=["layer", "head"]), None),                        # one metric alone: no axis of metrics
    (set_attribute(Z, "metrics", '["logit(3)"]'), "another number of texts than the axis"),
    (set_attribute(Z, "metrics", '["logit(3)", 4]'), "not a list of texts"),
    (set_attribute(Z, "metrics", "[logit(3)]"), "not JSON"),
    (set_attribute(Z, "metrics", "[]"), "another number of texts"),
    (set_attribute(Z, "direction", 3), "the attribute direction must be one string"),
    (set_attribute(Z, "baseline_clean", np.zeros(3)), "another number of baselines than of metrics"),
    (set_attribute(Z, "baseline_corrupt", "0, 1"), "the attribute baseline_corrupt must be a list of numbers"),
]


@pytest.mark.parametrize("damage, words", DAMAGES, ids=[words or "fine" for _, words in DAMAGES])
def test_what_is_wrong_with_a_grid_is_named(grids, tmp_path, damage, words):
    shutil.copy(grids, tmp_path / "g.h5")
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        damage(file)
    done = weir(tmp_path, "validate", "g.h5")
    if words is None:
        assert done.returncode == 0, done.stdout.decode()
        return
    assert done.returncode == 1 and words in done.stdout.decode(), done.stdout.decode()
    listed = weir(tmp_path, "ls", "g.h5")
    assert listed.returncode in (0, INPUT) and len(listed.stderr.splitlines()) == (listed.returncode == INPUT)


def test_what_is_of_another_analysis_is_not_judged(grids, tmp_path):
    shutil.copy(grids, tmp_path / "g.h5")
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        file["results/mine"] = np.arange(3)
        del file[Z].attrs["metrics"]
        file["results/patch/v"] = np.full((2, 2), -1.0)
    assert weir(tmp_path, "validate", "g.h5").returncode == 0
    assert "patch/z " not in weir(tmp_path, "ls", "g.h5").stdout.decode()
    assert json.loads(weir(tmp_path, "ls", "g.h5", "--json").stdout)["grids"][0]["axes"] == ["metric", "layer", "pos"]
