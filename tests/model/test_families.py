"""Every family against PyTorch in float64, and the identities of hook points, whatever its options: the first configuration
of each in every run, the others under --full (configs.py)."""
import json

import h5py
import numpy as np
import pytest

import cache
import prompts
from cache import FIXTURES, dump
from configs import CONFIGS, LENS
from measure import BOUND, FAMILIES, SAME, close, matches, same_caches

EVERY = CONFIGS | LENS


def first_of_each():
    seen = set()
    for name, row in EVERY.items():
        yield name, row["family"] in seen or row["family"] in FAMILIES      # test_model.py has those
        seen.add(row["family"])


every_config = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if other else ()) for name, other in first_of_each()])


@every_config
def test_every_hook_point_matches_pytorch_in_float64(run, name):
    """5e-5, or twice what PyTorch float32 itself is off where random weights make that more"""
    for n in EVERY[name]["lengths"]:
        ref = FIXTURES / name / f"ref_{n}.h5"
        with h5py.File(ref) as f:
            bound = max(BOUND, 2 * float(f.attrs["float32_error"]))
        matches(run(name, n, "*" + EVERY[name].get("named", "")), ref, bound)


def has(r, point, layer):
    return point in r.names and np.isfinite(r(point, layer)).any()


def shortformer(name):
    config = json.loads((FIXTURES / name / "config.json").read_text())
    return config.get("positional_embedding_type") == "shortformer"


@every_config
def test_the_stream_is_the_sum_of_what_is_added(run, name):
    r = run(name, 90)
    positions_in_stream = "pos_embed" in r.names and not shortformer(name)
    embedded = r("embed") + r("pos_embed") if positions_in_stream else r("embed")
    close(r("resid_pre", 0), embedded)
    for i in range(r.n_layers()):
        middle = r("resid_pre", i) + r("attn_out", i)
        if has(r, "resid_mid", i):
            close(r("resid_mid", i), middle)
        close(r("resid_post", i), middle + r("mlp_out", i) if "mlp_out" in r.names else middle)
        if i:
            assert (r("resid_pre", i) == r("resid_post", i - 1)).all()


def sinks(name, layer):
    """[head, 1, 1]: one more score of each head, -inf where the family has none"""
    found = [x for key, x in cache.weights(FIXTURES / name).items() if key.endswith(f"layers.{layer}.self_attn.sinks")]
    return found[0].reshape(-1, 1, 1).astype(np.float64) if found else -np.inf


@every_config
def test_patterns_are_the_softmax_of_scores(run, name):
    r = run(name, 90)
    for i in range(r.n_layers()):
        scores, pattern = r("attn_scores", i), r("pattern", i)
        assert (pattern[np.isneginf(scores)] == 0).all()
        assert np.isneginf(scores[:, np.triu_indices(90, 1)[0], np.triu_indices(90, 1)[1]]).all()
        most = scores.max(-1, keepdims=True)
        e, sink = np.exp(scores - most), np.exp(sinks(name, i) - most)
        close(pattern, e / (e.sum(-1, keepdims=True) + sink), 3e-5)
        assert np.abs(pattern.sum(-1) - (1 - sink / (e.sum(-1, keepdims=True) + sink))[..., 0]).max() <= SAME


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


def sums_to_one(config):
    return config.get("norm_topk_prob", config["model_type"] in ("mixtral", "gpt_oss"))


def softmax_of_the_best(logits, n, sum_to_one):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    order = np.argsort(-p, axis=-1, kind="stable")[:, :n]
    weights = np.zeros_like(p)
    np.put_along_axis(weights, order, np.take_along_axis(p, order, -1), -1)
    return weights / weights.sum(-1, keepdims=True) if sum_to_one else weights


def inside_an_expert(config, gate, linear):
    if config["model_type"] != "gpt_oss":
        return gate / (1 + np.exp(-gate)) * linear
    gate, linear = np.minimum(gate, config["swiglu_limit"]), np.clip(linear, -config["swiglu_limit"], config["swiglu_limit"])
    return gate / (1 + np.exp(-1.702 * gate)) * (linear + 1)


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
        weights, chosen = r("expert_weights", i), r("expert_indices", i).astype(int)
        applied = np.take_along_axis(weights, chosen, -1)
        assert (np.diff(applied, axis=-1) <= 0).all() and ((weights != 0).sum(-1) == chosen.shape[1]).all()
        if config["model_type"] != "phimoe":             # the reference has what the sparse mixer gives
            close(weights, softmax_of_the_best(r("router", i), chosen.shape[1], sums_to_one(config)))
        close(r("expert_post", i), inside_an_expert(config, r("expert_pre", i), r("expert_pre_linear", i)))


@every_config
def test_a_batch_equals_each_alone(tmp_path, name):
    lengths = (11, 1, 40, 90)
    together = dump(tmp_path / "batch.h5", FIXTURES / name, [prompts.tokens(n, seed=n) for n in lengths])
    for i, n in enumerate(lengths):
        alone = dump(tmp_path / f"{i}.h5", FIXTURES / name, [prompts.tokens(n, seed=n)])
        same_caches(alone, together, 2e-5, prompt_b=i)


def test_the_fixtures_are_those_of_the_table():
    there = {p.name for p in FIXTURES.iterdir() if p.is_dir()}
    assert there == set(EVERY) | {"gpt2", "llama", "llama3_rope", "mistral"}


def test_gguf_architectures_and_families_are_listed():
    """docs/families.md is made from the code (script/families)"""
    text = (cache.ROOT / "docs/families.md").read_text()
    for row in CONFIGS.values():
        model_type = json.loads((FIXTURES / row["family"] / "config.json").read_text())["model_type"]
        assert f"`{model_type}`" in text
    with h5py.File(FIXTURES / "smollm2_ref.h5") as f:
        assert f.attrs["float32_error"] > 0


@pytest.mark.parametrize("name, why", [("gpt_oss", "its patterns sum to less than 1"), ("lens_algorithmic", "fewer logits than ids")])
def test_what_is_unusual_is_valid_in_a_file(tmp_path, name, why):
    out = tmp_path / "run.h5"
    dump(out, FIXTURES / name, [prompts.tokens(23)])
    cache.weir("validate", out)


def test_patterns_with_sinks_say_so(run):
    assert run("gpt_oss", 23).file["activations/pattern"].attrs["sinks"] == 1
    assert "sinks" not in run("mixtral", 23).file["activations/pattern"].attrs


@pytest.mark.parametrize("factor", [3, -1])
def test_validate_still_sees_sums_that_no_sink_leaves(tmp_path, factor):
    out = tmp_path / "run.h5"
    dump(out, FIXTURES / "gpt_oss", [prompts.tokens(5)], "pattern")
    with h5py.File(out, "r+") as f:
        f["activations/pattern"][0] *= factor
    said = cache.weir("validate", out, check=False)
    assert said.returncode == 1 and "must sum to at most 1" in said.stdout


@pytest.mark.parametrize("name, changes", [("llama", dict(sliding_window=3)), ("gpt2", dict(window_size=3)), ("olmo", dict(
    sliding_window=3, layer_types=["sliding_attention"] * 3))])
def test_a_window_that_the_familys_code_does_not_read_is_none(run, tmp_path, name, changes):
    model = tmp_path / name
    model.mkdir()
    config = json.loads((FIXTURES / name / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | changes))
    (model / "model.safetensors").symlink_to(FIXTURES / name / "model.safetensors")
    same_caches(run(name, 23), dump(tmp_path / "run.h5", model, [prompts.tokens(23)]))
