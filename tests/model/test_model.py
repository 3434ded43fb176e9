"""The engine against PyTorch in float64, and against itself.

Each family's committed fixture (make.py) is a tiny random model and, for prompts of 1, 2, 23 and 90 tokens, what the
oracle (../oracle) computes with it. `bound` is that of the project: 5e-5 by the oracle's own measure.
"""
import json
import shutil

import h5py
import numpy as np
import pytest

import cache
import prompts
from cache import FIXTURES, config, dump, weights
from measure import FAMILIES, KERNELS, SAME, close, matches, same_caches

NAMED = "result,attn_in,q_input,k_input,v_input,mlp_in"   # points that only their names select

every_family = pytest.mark.parametrize("family", FAMILIES)
every_length = pytest.mark.parametrize("n", prompts.LENGTHS)


@every_length
@every_family
def test_every_hook_point_matches_pytorch_in_float64(run, family, n):
    matches(run(family, n), FIXTURES / family / f"ref_{n}.h5")


@every_family
def test_every_point_that_applies_is_there_and_no_other(run, family):
    assert run(family, 23).names == sorted(FAMILIES[family]["points"])


@every_family
def test_tokens_come_back(run, family):
    assert run(family, 23).file["tokens/id"][0].tolist() == prompts.tokens(23)


@every_length
@every_family
def test_the_stream_is_the_sum_of_what_is_added(run, family, n):
    r = run(family, n)
    embedded = r("embed") + r("pos_embed") if "pos_embed" in r.names else r("embed")
    close(r("resid_pre", 0), embedded)
    for i in range(r.n_layers()):
        close(r("resid_mid", i), r("resid_pre", i) + r("attn_out", i))
        close(r("resid_post", i), r("resid_mid", i) + r("mlp_out", i))
        if i:
            assert (r("resid_pre", i) == r("resid_post", i - 1)).all()
    assert (r("unembed") == r("logits")).all()


@every_length
@every_family
def test_norms_are_what_their_scale_says(run, family, n):
    r = run(family, n)

    def check(norm, layer, x):
        if FAMILIES[family]["centred"]:
            x = x - x.mean(-1, keepdims=True)
        close(r(norm + "_normalized", layer) * r(norm + "_scale", layer)[:, None], x)

    for i in range(r.n_layers()):
        check("ln1", i, r("resid_pre", i))
        check("ln2", i, r("resid_mid", i))
    check("ln_final", None, r("resid_post", r.n_layers() - 1))


def masked(family, n):
    """[query, key]: which keys a query must not see"""
    query, key = np.arange(n)[:, None], np.arange(n)[None]
    window = config(FIXTURES / family).get("sliding_window")
    return (key > query) | ((query - key >= window) if window else False)


@every_length
@every_family
def test_patterns_are_the_softmax_of_scores_and_zero_where_masked(run, family, n):
    r, hidden = run(family, n), masked(family, n)
    for i in range(r.n_layers()):
        scores, pattern = r("attn_scores", i), r("pattern", i)
        assert (np.isneginf(scores) == hidden).all()
        assert (pattern[:, hidden] == 0).all()
        assert np.abs(pattern.sum(-1) - 1).max() <= SAME
        e = np.exp(scores - scores.max(-1, keepdims=True))
        close(pattern, e / e.sum(-1, keepdims=True))


@every_length
@every_family
def test_scores_are_scaled_products_of_queries_and_keys(run, family, n):
    r, seen = run(family, n), ~masked(family, n)
    names = ("rot_q", "rot_k") if "rot_q" in r.names else ("q", "k")
    for i in range(r.n_layers()):
        q, k = (r(name, i) for name in names)                                # [pos, head, d_head]
        k = np.repeat(k, q.shape[1] // k.shape[1], axis=1)
        product = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1])
        close(np.where(seen, r("attn_scores", i), 0), np.where(seen, product, 0))


@every_length
@every_family
def test_rotation_keeps_lengths_and_leaves_the_first_position(run, family, n):
    r = run(family, n)
    for plain, turned in (("q", "rot_q"), ("k", "rot_k")):
        if turned in r.names:
            for i in range(r.n_layers()):
                close(np.linalg.norm(r(turned, i), axis=-1), np.linalg.norm(r(plain, i), axis=-1))
                close(r(turned, i)[:1], r(plain, i)[:1])


@every_length
@every_family
def test_z_is_the_pattern_weighted_sum_of_values(run, family, n):
    r = run(family, n)
    for i in range(r.n_layers()):
        pattern, v = r("pattern", i), r("v", i)
        v = np.repeat(v, pattern.shape[0] // v.shape[1], axis=1)
        close(r("z", i), np.einsum("hqk,khd->qhd", pattern, v))


@every_family
def test_points_selected_by_name_only(run, family):
    r, full, row, tensors = run(family, 23, NAMED), run(family, 23), FAMILIES[family], weights(FIXTURES / family)
    assert r.names == sorted(NAMED.split(","))
    for i in range(full.n_layers()):
        z, result = full("z", i), r("result", i)                             # [pos, head, d_head], [pos, head, d_model]
        w_o = tensors[row["o"].format(i)].astype(np.float64)
        w_o = w_o if row["o_bias"] else w_o.T                                # GPT-2 keeps [in, out]
        w_o = w_o.reshape(z.shape[1], z.shape[2], -1)
        close(result, np.einsum("phd,hdm->phm", z, w_o))
        b_o = tensors[row["o_bias"].format(i)] if row["o_bias"] else 0
        close(result.sum(1) + b_o, full("attn_out", i))
        close(r("mlp_in", i), full("resid_mid", i))
        for name, heads in (("attn_in", "q"), ("q_input", "q"), ("k_input", "k"), ("v_input", "v")):
            stream = np.repeat(full("resid_pre", i)[:, None], full(heads, i).shape[1], axis=1)
            close(r(name, i), stream)


EIGHT = (1, 2, 90, 7, 23, 33, 64, 10)


@pytest.mark.parametrize("hooks", ["*", "resid_post,z"])   # the second never holds scores: tiled attention
@every_family
def test_a_batch_of_eight_prompts_equals_each_alone(tmp_path, family, hooks):
    lists = [prompts.tokens(n, seed=n) for n in EIGHT]
    batch = dump(tmp_path / "batch.h5", FIXTURES / family, lists, hooks)
    assert batch.lengths == list(EIGHT)
    for i, ids in enumerate(lists):
        alone = dump(tmp_path / f"{i}.h5", FIXTURES / family, [ids], hooks)
        same_caches(batch, alone, prompt_a=i)
        for name in batch.names:
            past = batch.whole(name, batch.layers(name)[0], i)
            past = past[:, len(ids):] if name in ("pattern", "attn_scores") else past[len(ids):]
            assert np.isnan(past).all(), f"{name}: rows past the end of prompt {i} are not NaN"


@every_length
@every_family
def test_attention_that_nobody_watches_gives_the_same(run, family, n):
    """Scores and patterns need not be made when nobody wants them: what follows them is the same."""
    full, part = run(family, n), run(family, n, "z,resid_post,logits")
    for name in part.names:
        for layer in part.layers(name):
            close(part(name, layer), full(name, layer))


@pytest.mark.parametrize("threads", [1, 2, 3])
@every_family
def test_the_number_of_threads_changes_nothing(run, tmp_path, family, threads):
    same_caches(dump(tmp_path / "t.h5", FIXTURES / family, [prompts.tokens(90)], threads=threads), run(family, 90))


@pytest.mark.parametrize("isa", ["plain", "avx2"])   # a machine without it falls back, and then agrees with itself
@every_family
def test_kernels_agree(run, tmp_path, family, isa):
    with_isa = dump(tmp_path / "t.h5", FIXTURES / family, [prompts.tokens(90)], env={"WEIR_ISA": isa})
    matches(with_isa, FIXTURES / family / "ref_90.h5")
    same_caches(with_isa, run(family, 90), KERNELS)


def test_gpt2_as_the_hub_has_it(tmp_path):
    """The published GPT-2 names its tensors without "transformer." and keeps the causal masks among them."""
    shutil.copy(FIXTURES / "gpt2/config.json", tmp_path)
    tensors = {name.removeprefix("transformer."): x for name, x in weights(FIXTURES / "gpt2").items()}
    for i in range(3):
        tensors[f"h.{i}.attn.bias"] = np.tril(np.ones((1, 1, 96, 96), np.float32))
    cache.write_weights(tmp_path, tensors)
    matches(dump(tmp_path / "run.h5", tmp_path, [prompts.tokens(23)]), FIXTURES / "gpt2/ref_23.h5")


def test_llama_configs_written_by_older_transformers(tmp_path):
    """Published Llama folders have rope_theta and rope_scaling at the top, torch_dtype, and no head_dim."""
    folder = FIXTURES / "llama3_rope"
    for file in folder.glob("model*"):
        shutil.copy(file, tmp_path)
    old = config(folder)
    rope = old.pop("rope_parameters")
    old.pop("head_dim", None)
    old.update(rope_theta=rope.pop("rope_theta"), rope_scaling=rope, torch_dtype=old.pop("dtype"))
    (tmp_path / "config.json").write_text(json.dumps(old))
    matches(dump(tmp_path / "run.h5", tmp_path, [prompts.tokens(90)]), folder / "ref_90.h5")


def test_tied_embeddings_are_the_unembedding(run, tmp_path):
    tensors = weights(FIXTURES / "llama")
    del tensors["lm_head.weight"]
    cache.write_weights(tmp_path, tensors)
    (tmp_path / "config.json").write_text(json.dumps({**config(FIXTURES / "llama"), "tie_word_embeddings": True}))
    tied, untied = dump(tmp_path / "run.h5", tmp_path, [prompts.tokens(23)]), run("llama", 23)
    close(tied("ln_final_out"), untied("ln_final_out"))
    close(tied("logits"), tied("ln_final_out") @ tensors["model.embed_tokens.weight"].astype(np.float64).T)


# files of script/fetch-model and script/fetch-gemma; a vocabulary's size bounds the ids of arbitrary prompts
PUBLISHED = {
    "smollm2": (".cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 49000),
    "gemma3": (".cache/gemma3/gemma-3-270m-q4_k_m.gguf", 262000),
}
every_published = pytest.mark.parametrize("name", PUBLISHED)


def published(name):
    model = cache.ROOT / PUBLISHED[name][0]
    assert model.exists(), "run script/fetch-model and script/fetch-gemma first"
    return model


@pytest.mark.slow
@every_published
def test_a_published_model_alone_in_a_batch_and_on_any_threads(tmp_path, name):
    """to float32 rounding: 3e-4 of a row, as far as one float32 is from another on these models"""
    model, n_vocab = published(name), PUBLISHED[name][1]
    ids = [[(i * 7919 + n) % n_vocab for i in range(n)] for n in (1, 40, 7, 2, 23, 64, 65, 11)]
    batch = dump(tmp_path / "batch.h5", model, ids, hooks="*")
    for i in (0, 1, 5, 6):
        same_caches(dump(tmp_path / f"{i}.h5", model, [ids[i]], hooks="*"), batch, 3e-4, prompt_b=i)
    one = dump(tmp_path / "one.h5", model, [ids[4]], hooks="*", threads=1)
    for threads in (2, 3):
        same_caches(one, dump(tmp_path / f"t{threads}.h5", model, [ids[4]], hooks="*", threads=threads), 3e-4)


@pytest.mark.slow
@every_published
def test_a_published_model_is_as_exact_as_pytorch_float32(tmp_path, name):
    """Every point of the reference, at no more than twice what PyTorch float32 errs at its worst."""
    ref = FIXTURES / f"{name}_ref.h5"
    with h5py.File(ref) as f:
        ids, bound = f["tokens"][...].tolist(), 2 * float(f.attrs["float32_error"])
    matches(dump(tmp_path / "run.h5", published(name), [ids]), ref, bound)
