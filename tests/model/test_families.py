"""Every family against PyTorch in float64, and the identities of hook points, whatever its options: the first configuration
of each in every run, the others under --full (configs.py)."""
import json

import h5py
import numpy as np
import pytest

import cache
import prompts
from cache import FIXTURES, dump
from configs import CONFIGS
from test_model import BOUND, SAME, close, matches, same_caches


def first_of_each():
    seen = set()
    for name, row in CONFIGS.items():
        yield name, row["family"] in seen or name not in (row["family"],)
        seen.add(row["family"])


every_config = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if other else ()) for name, other in first_of_each()])


@every_config
def test_every_hook_point_matches_pytorch_in_float64(run, name):
    """5e-5, or twice what PyTorch float32 itself is off where random weights make that more"""
    for n in CONFIGS[name]["lengths"]:
        ref = FIXTURES / name / f"ref_{n}.h5"
        with h5py.File(ref) as f:
            bound = max(BOUND, 2 * float(f.attrs["float32_error"]))
        matches(run(name, n), ref, bound)


def has(r, point, layer):
    return point in r.names and np.isfinite(r(point, layer)).any()


@every_config
def test_the_stream_is_the_sum_of_what_is_added(run, name):
    r = run(name, 90)
    embedded = r("embed") + r("pos_embed") if "pos_embed" in r.names else r("embed")
    close(r("resid_pre", 0), embedded)
    for i in range(r.n_layers()):
        middle = r("resid_pre", i) + r("attn_out", i)
        if has(r, "resid_mid", i):
            close(r("resid_mid", i), middle)
        close(r("resid_post", i), middle + r("mlp_out", i))
        if i:
            assert (r("resid_pre", i) == r("resid_post", i - 1)).all()


@every_config
def test_patterns_are_the_softmax_of_scores(run, name):
    r = run(name, 90)
    for i in range(r.n_layers()):
        scores, pattern = r("attn_scores", i), r("pattern", i)
        assert (pattern[np.isneginf(scores)] == 0).all()
        assert np.isneginf(scores[:, np.triu_indices(90, 1)[0], np.triu_indices(90, 1)[1]]).all()
        assert np.abs(pattern.sum(-1) - 1).max() <= SAME
        e = np.exp(scores - scores.max(-1, keepdims=True))
        close(pattern, e / e.sum(-1, keepdims=True), 3e-5)


@every_config
def test_z_is_the_pattern_weighted_sum_of_values(run, name):
    r = run(name, 90)
    for i in range(r.n_layers()):
        pattern, v = r("pattern", i), r("v", i)
        v = np.repeat(v, pattern.shape[0] // v.shape[1], axis=1)
        close(r("z", i), np.einsum("hqk,khd->qhd", pattern, v), 3e-5)


@every_config
def test_norms_are_what_their_scale_says(run, name):
    r = run(name, 90)
    for norm, source in (("ln1", "resid_pre"), ("ln2", "resid_mid"), ("ln_final", None)):
        if norm + "_scale" not in r.names:
            continue
        for i in range(r.n_layers()) if source else [None]:
            if source and source not in r.names:
                source = "resid_pre"                     # a parallel block with two norms
            x = r(source, i) if source else r("resid_post", r.n_layers() - 1)
            product = r(norm + "_normalized", i) * r(norm + "_scale", i)[:, None]
            centred = x - x.mean(-1, keepdims=True)      # a layer norm's, or an RMS norm's x itself
            error = min(np.abs(product - x).max(), np.abs(product - centred).max())
            assert error <= 1e-5 * np.abs(x).max(), (norm, i, error)


@every_config
def test_experts(run, name):
    r = run(name, 90)
    if "router" not in r.names:
        pytest.skip("no experts")
    config = json.loads((FIXTURES / name / "config.json").read_text())
    for i in range(r.n_layers()):
        if not has(r, "router", i):
            assert has(r, "mlp_post", i)                 # a dense layer among sparse ones
            continue
        logits, weights = r("router", i), r("expert_weights", i)
        chosen = r("expert_indices", i).astype(int)
        e = np.exp(logits - logits.max(-1, keepdims=True))
        p = e / e.sum(-1, keepdims=True)
        order = np.argsort(-p, axis=-1, kind="stable")[:, :chosen.shape[1]]
        assert (chosen == order).all()
        expected = np.zeros_like(p)
        np.put_along_axis(expected, order, np.take_along_axis(p, order, -1), -1)
        if config.get("norm_topk_prob", config["model_type"] == "mixtral"):
            expected /= expected.sum(-1, keepdims=True)
        close(weights, expected)
        silu = r("expert_pre", i) / (1 + np.exp(-r("expert_pre", i)))
        close(r("expert_post", i), silu * r("expert_pre_linear", i))


@every_config
def test_a_batch_equals_each_alone(tmp_path, name):
    lengths = (11, 1, 40, 90)
    together = dump(tmp_path / "batch.h5", FIXTURES / name, [prompts.tokens(n, seed=n) for n in lengths])
    for i, n in enumerate(lengths):
        alone = dump(tmp_path / f"{i}.h5", FIXTURES / name, [prompts.tokens(n, seed=n)])
        same_caches(alone, together, 2e-5, prompt_b=i)


def test_the_fixtures_are_those_of_the_table():
    there = {p.name for p in FIXTURES.iterdir() if p.is_dir()}
    assert there == set(CONFIGS) | {"gpt2", "llama", "llama3_rope", "mistral"}


def test_gguf_architectures_and_families_are_listed():
    """docs/families.md is made from the code (script/families)"""
    text = (cache.ROOT / "docs/families.md").read_text()
    for row in CONFIGS.values():
        model_type = json.loads((FIXTURES / row["family"] / "config.json").read_text())["model_type"]
        assert f"`{model_type}`" in text
    with h5py.File(FIXTURES / "smollm2_ref.h5") as f:
        assert f.attrs["float32_error"] > 0
