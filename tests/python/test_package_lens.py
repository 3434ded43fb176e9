"""python/weir against TransformerLens: names, shapes, values and stacks that make_lens_expected.py kept of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import weir
from make_lens_expected import PROMPTS, STACKS, answer
from weir._names import parse

DATA = Path(__file__).resolve().parent / "data"
BOUND = 5e-5           # of the largest value, as in tests/model


@pytest.fixture(scope="module")
def caches(models):
    return {name: (weir.dump(PROMPTS, models / name, "*,result", quiet=True), np.load(DATA / f"{name}.npz"))
            for name in ("lens_gelu", "lens_solu")}


def assert_near(mine, expected, name):
    assert mine.shape == expected.shape, name
    assert np.array_equal(np.isinf(mine), np.isinf(expected)), name
    real = np.isfinite(expected)
    assert np.abs(mine[real] - expected[real]).max() <= BOUND * np.abs(expected[real]).max(), name


@pytest.mark.parametrize(("arguments", "full"), json.loads((DATA / "lens_names.json").read_text()))
def test_short_hand_means_what_get_act_name_says(arguments, full):
    hook, layer = parse(tuple(arguments))
    assert hook.replace("{layer}", str(layer)) == full


@pytest.mark.parametrize("model", ["lens_gelu", "lens_solu"])
def test_every_entry_of_run_with_cache_is_here_with_its_shape_and_values(caches, model):
    cache, expected = caches[model]
    names = [name.removeprefix("cache/") for name in expected.files if name.startswith("cache/")]
    assert len(names) > 20
    for name in names:
        assert name in cache, name
        assert_near(cache[name], expected[f"cache/{name}"], name)
    here = list(cache)
    order = [name for name in names if name in here]
    assert order == [name for name in here if name in names]


@pytest.mark.parametrize("model", ["lens_gelu", "lens_solu"])
def test_a_prompt_alone_is_shaped_as_after_remove_batch_dim(caches, model):
    cache, expected = caches[model]
    for name in cache:
        if f"cache/{name}" in expected.files:
            for i in range(len(PROMPTS)):
                assert_near(cache.prompt(i)[name], expected[f"cache/{name}"][i], name)


@pytest.mark.parametrize(("method", "arguments"), STACKS)
def test_stacks_and_labels_are_those_of_ActivationCache(caches, method, arguments):
    cache, expected = caches["lens_solu"]
    key = f"{method}/{json.dumps(arguments)}"
    for view, at in ((cache, slice(None)), (cache.prompt(1), 1)):
        stack, labels = answer(view, method, arguments)
        assert_near(stack, expected[f"stack/{key}"][:, at], key)
        assert labels is None or labels == expected[f"labels/{key}"].tolist()


def test_without_labels_the_stack_comes_alone(caches):
    cache, _ = caches["lens_solu"]
    for method in ("accumulated_resid", "decompose_resid", "stack_head_results"):
        stack, labels = getattr(cache, method)(return_labels=True)
        np.testing.assert_array_equal(getattr(cache, method)(), stack)
        assert len(labels) == len(stack)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "bloom", "gpt_neox", "olmo2", "lens_rotary", "lens_attn_only"])
def test_the_components_add_up_to_the_stream_in_every_kind_of_model(models, family):
    cache = weir.dump([1, 2, 3, 4, 5], models / family, "*", quiet=True)
    for layer in range(cache.n_layers + 1):
        parts = cache.decompose_resid(layer)
        stream = cache.accumulated_resid(layer)[-1]
        assert_near(parts.sum(axis=0), stream, f"{family} {layer}")


def test_a_decomposition_that_would_lack_pos_embed_is_refused(models):
    few = "embed,attn_out,mlp_out,resid_pre:0"
    with pytest.raises(KeyError, match="dump with pos_embed in hooks"):
        weir.dump([1, 2, 3], models / "gpt2", few, quiet=True).decompose_resid()
    assert weir.dump([1, 2, 3], models / "llama", few, quiet=True).decompose_resid().shape[-1] == 48
    with pytest.raises(KeyError, match="embed is not stored"):
        weir.dump([1, 2, 3], models / "gpt2", "attn_out,mlp_out", quiet=True).decompose_resid()


def test_stacks_name_the_layer_that_is_missing(models):
    cache = weir.dump([1, 2, 3], models / "gpt2", "pattern:1:,resid_pre:0", quiet=True)
    with pytest.raises(KeyError, match="pattern is not stored at layer 0"):
        cache.stack_activation("pattern")
    with pytest.raises(KeyError, match="resid_pre is not stored at layer 1"):
        cache.accumulated_resid()
    assert cache.accumulated_resid(0).shape == (1, 1, 3, 48)
    with pytest.raises(KeyError, match="result is not stored"):
        cache.stack_head_results()
    with pytest.raises(IndexError, match="layer 4: from 0 to 3"):
        cache.accumulated_resid(4)
    with pytest.raises(IndexError, match="layer 0: from 1 to 3"):
        cache.stack_activation("pattern", 0)
    with pytest.raises(ValueError, match="mode 'heads'"):
        cache.decompose_resid(mode="heads")
