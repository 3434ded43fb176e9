"""A hook that edits, in C (edit_cli.c): what follows is what PyTorch computes in float64 when it makes the same edit, what
came before is untouched. The edits are those of edits.py."""
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

import cache
import edits
import prompts
import reference
from cache import FIXTURES, WEIR
from measure import BOUND, matches

EDIT_CLI = Path(WEIR).parents[1] / "tests/model/edit_cli"


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """edited(family, name): the dump of one edit, made once"""
    folder, made = tmp_path_factory.mktemp("edits"), {}

    def get(family, name):
        if (family, name) not in made:
            edit, out = edits.EDITS[name], folder / f"{family}_{name}.h5"
            index = ["-" if i is None else i for i in edit["index"]] + ["-"] * (3 - len(edit["index"]))
            args = [FIXTURES / family, out, f"{edit['point']}:{edit['layer']}", *index, *prompts.tokens(edits.LENGTH)]
            done = subprocess.run([EDIT_CLI, *map(str, args)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            made[family, name] = cache.Cache(out)
        return made[family, name]
    return get


every_edit = pytest.mark.parametrize("name", edits.EDITS)
every_family = pytest.mark.parametrize("family", edits.FAMILIES)


def order(family):
    """the points as they are computed"""
    hooks = json.loads(cache.weir("hooks", "-m", FIXTURES / family, "--json").stdout)["hooks"]
    return [h["short"] for h in hooks]


def values(run):
    """(point, layer) of all that a dump has; a point outside blocks in layer None"""
    return [(point, layer) for point in run.names for layer in run.layers(point)]


@every_edit
@every_family
def test_what_follows_an_edit_is_what_pytorch_computes(edited, family, name):
    matches(edited(family, name), FIXTURES / family / f"edit_{name}.h5")


@every_edit
@every_family
def test_the_edit_is_in_its_place_and_nowhere_else(run, edited, family, name):
    edit, plain = edits.EDITS[name], run(family, edits.LENGTH)
    expected = plain(edit["point"], edit["layer"]).copy()
    expected[tuple(slice(None) if i is None else i for i in edit["index"])] = 0
    assert (edited(family, name)(edit["point"], edit["layer"]) == expected).all()


@every_edit
@every_family
def test_what_came_before_an_edit_is_the_same_bit_by_bit(run, edited, family, name):
    edit, points, plain, after = edits.EDITS[name], order(family), run(family, edits.LENGTH), edited(family, name)
    assert plain.names == after.names
    before = [(point, layer) for point, layer in values(plain) if point in ("embed", "pos_embed") or layer is not None and
              (layer, points.index(point)) < (edit["layer"], points.index(edit["point"]))]
    assert ("resid_post", edit["layer"] - 1) in before
    for point, layer in before:
        assert np.array_equal(plain(point, layer), after(point, layer)), (point, layer)


@every_edit
@every_family
def test_an_edit_changes_the_logits_from_its_position_on(run, edited, family, name):
    """so much that the comparison with PyTorch would not pass without it"""
    plain, after = run(family, edits.LENGTH)("logits"), edited(family, name)("logits")
    first = {"head": 1, "row": 9, "entry": 12}[name]
    assert reference.error(after[None, first:], plain[None, first:]) > 20 * BOUND
    assert name == "head" or reference.error(after[None, :first], plain[None, :first]) <= BOUND


@every_edit
def test_a_capture_says_where_it_was_edited_and_is_valid(edited, name):
    edit, run = edits.EDITS[name], edited("gpt2", name)
    assert json.loads(run.file.attrs["edits"]) == [{"hook": f"{edit['point']}:{edit['layer']}"}]
    cache.weir("validate", run.file.filename)
