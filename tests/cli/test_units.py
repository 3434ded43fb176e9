"""Which heads and neurons a file has: what weir dump stored, as every command that asks sees it."""
import re

import h5py
import numpy as np
import pytest

from program import ROOT, ask, weir
from terminal import tui


TEXT = "Emma walked to the house"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of single heads and neurons, made by the program."""
    made = tmp_path_factory.mktemp("units")
    (made / "tmux.conf").write_text("set -g escape-time 0\n")
    for name, hooks in {"pairs": "pattern:1.0+2,pattern:2.3", "mixed": "pattern:0,pattern:1.2", "one": "pattern:3.1@-1",
                        "rest": "z:1.0,q:0.1+3,mlp_post:1.5+7,pattern:0.1"}.items():
        done = weir(made, "dump", "-m", ROOT / "models/rill", "-p", TEXT, "--hooks", hooks, "-o", f"{name}.h5")
        assert done.returncode == 0, done.stderr.decode()
    return made


def pairs_of(path):
    """(layer, head) of every pattern that has values, by h5py"""
    with h5py.File(path) as file:
        pattern = file["activations/pattern"][:, 0]
    return [(int(a), int(b)) for a, b in np.argwhere(~np.isnan(pattern).all((2, 3)))]


def test_the_file_says_what_is_stored(folder):
    with h5py.File(folder / "pairs.h5") as file:
        assert file["activations/pattern"].attrs["units"] == "1.0+1.2+2.3"
    assert pairs_of(folder / "pairs.h5") == [(1, 0), (1, 2), (2, 3)]


@pytest.mark.parametrize("name", ["pairs", "mixed", "one", "rest"])
def test_attn_and_heads_and_view_see_the_pairs_that_are_stored(folder, name):
    path = folder / f"{name}.h5"
    stored = pairs_of(path)
    maps = ask(folder, "attn", path)
    heads = ask(folder, "heads", path)["heads"]
    top = ask(folder, "attn", path, "--top", 1000)["pairs"]
    assert [(m["layer"], m["head"]) for m in maps["maps"]] == stored
    assert sorted((h["layer"], h["head"]) for h in heads if h["queries"]) == stored
    assert {(p["layer"], p["head"]) for p in top} == set(stored)
    done = weir(folder, "view", path, "-o", folder / f"{name}.html", "--force")
    assert done.returncode == 0, done.stderr


def test_one_pair_is_chosen_by_its_numbers(folder):
    asked = ask(folder, "attn", folder / "pairs.h5", "--layer", 1, "--head", 0)
    assert [(m["layer"], m["head"]) for m in asked["maps"]] == [(1, 0)]
    for layer, head in (1, 3), (2, 0), (-2, 1):
        done = weir(folder, "attn", folder / "pairs.h5", "--layer", layer, "--head", head)
        assert done.returncode == 2 and re.search(f"the pattern of head {head} is not stored", done.stderr.decode()), done.stderr


@pytest.mark.parametrize("hook, units", [("embed:.3", ".3"), ("logits:.7+0:2", ".0+.1+.7"), ("ln_final_out:.-1@-1", ".159")])
def test_units_of_a_point_outside_the_blocks_are_stored_and_read(tmp_path, hook, units):
    out = tmp_path / "outside.h5"
    assert weir(tmp_path, "dump", "-p", "Emma walked", "--hooks", hook, "-o", out).returncode == 0
    assert weir(tmp_path, "validate", out).returncode == 0
    point = ask(tmp_path, "ls", out)["hooks"][0]
    assert point["units"] == units
    with h5py.File(out) as file:
        value = file["activations"][point["short"]][0]
        stored = [int(unit) for unit in units[1:].split("+.")]
        assert sorted(np.flatnonzero(~np.isnan(value).any(axis=0))) == stored


def test_the_mean_is_over_the_pairs_that_are_stored(folder):
    with h5py.File(folder / "pairs.h5") as file:
        pattern = file["activations/pattern"][:, 0]
    asked = ask(folder, "attn", folder / "pairs.h5", "--mean")
    mean = np.mean([pattern[pair] for pair in pairs_of(folder / "pairs.h5")], axis=0)
    np.testing.assert_allclose([query["weights"] for query in asked["maps"][0]["queries"]], mean, atol=1e-6)


def test_the_viewer_goes_from_stored_head_to_stored_head(folder):
    with tui(folder, "pairs.h5") as terminal:
        terminal.wait(r"^ pattern  layer 1  head 0 ")
        terminal.keys("]")
        terminal.wait(r"^ pattern  layer 1  head 2 ")


@pytest.mark.parametrize("text", ["1", "0:4", "1.0+", "+1.0", "1.0+1.0", "2.3+1.0", "1.9999999999", "99.0", "1.-1", "1.0 ", "1,0", ""])
def test_another_grammar_is_refused_where_it_stands(folder, text):
    path = folder / "other.h5"
    path.write_bytes((folder / "pairs.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file["activations/pattern"].attrs["units"] = text
    for command in "ls", "attn", "heads", "stats":
        done = weir(folder, command, path)
        assert done.returncode == 3 and "/activations/pattern: the attribute units must be LAYER.UNIT" in done.stderr.decode(), done.stderr
    done = weir(folder, "validate", path)
    assert done.returncode == 1 and "the attribute units must be LAYER.UNIT" in done.stdout.decode()
