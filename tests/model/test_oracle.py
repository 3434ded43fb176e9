"""The measure itself: what it must notice."""
import json

import h5py
import numpy as np
import pytest

import cache
from configs import CONFIGS, FEW_ROWS, LENS
import prompts
import reference
from cache import FIXTURES


def sample(shape=(1, 5, 8)):
    return np.random.default_rng(0).standard_normal(shape)


def test_equal_arrays_have_no_error():
    assert reference.error(sample(), sample()) == 0


def test_one_wrong_number_shows():
    x = sample()
    x[0, 4, 7] += 1e-3
    assert reference.error(x, sample()) > 5e-4


def test_a_huge_first_row_does_not_hide_the_others():
    x, y = sample(), sample()
    x[0, 0] *= 1000
    y[0, 0] *= 1000
    x[0, 3, 2] += 1e-3
    assert reference.error(x, y) > 5e-4


def test_masks_nans_and_shapes_must_agree():
    x = sample()
    x[0, 0, 0] = np.nan
    assert reference.error(x, sample()) == np.inf
    x[0, 0, 0] = -np.inf
    assert reference.error(x, sample()) == np.inf
    assert reference.error(sample(), x) == np.inf
    assert reference.error(sample()[:, :4], sample()) == np.inf


def test_a_point_that_is_missing_or_off_fails_the_comparison(tmp_path):
    got = {"blocks.0.hook_resid_pre": sample(), "blocks.1.hook_resid_pre": sample(), "logits": sample()}
    reference.save(tmp_path / "ref.h5", got, [1, 2, 3, 4, 5], rows=[0, 4], layers=[1])
    reference.save(tmp_path / "same.h5", got, [1, 2, 3, 4, 5])
    assert reference.compare(tmp_path / "same.h5", tmp_path / "ref.h5")
    del got["logits"]
    reference.save(tmp_path / "less.h5", got, [1, 2, 3, 4, 5])
    assert not reference.compare(tmp_path / "less.h5", tmp_path / "ref.h5")
    got["logits"] = sample() * 1.001
    reference.save(tmp_path / "off.h5", got, [1, 2, 3, 4, 5])
    assert not reference.compare(tmp_path / "off.h5", tmp_path / "ref.h5")


def test_fixtures_hold_the_prompts_that_the_tests_run():
    for ref in FIXTURES.glob("*/ref_*.h5"):
        n = int(ref.stem.removeprefix("ref_"))
        with h5py.File(ref) as f:
            assert f["tokens"][...].tolist() == prompts.tokens(n)
            few = ref.parent.name in CONFIGS | LENS
            assert f["rows"][...].tolist() == ([r for r in FEW_ROWS if r < n] if few else prompts.rows(n))


FOLLOW = set("embed pos_embed attn_in q_input k_input v_input mlp_in result unembed".split())   # by identities


@pytest.mark.parametrize("name", sorted(p.name for p in FIXTURES.iterdir() if p.is_dir()))
def test_references_have_every_other_point_of_their_model(name):
    hooks = json.loads(cache.weir("hooks", "-m", FIXTURES / name, "--json").stdout)["hooks"]
    with h5py.File(FIXTURES / name / "ref_90.h5") as f:
        have = {d.attrs["hook_name"]: d for d in f["activations"].values()}
        for hook in hooks:
            if hook["short"] not in FOLLOW:
                assert list(have[hook["name"]].attrs.get("layer_ids", [])) == hook["layers"], hook["name"]
