"""Text models inside of others, against transformers' own class of the whole, which is given text (wrappers.py)."""
import json

import h5py
import numpy as np
import pytest

import cache
import positions
import prompts
import wrappers
from cache import dump
from measure import BOUND, matches, same_caches


def kept(name, what):
    return wrappers.kept(name, what)[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """model(name): the folder of a row, made once"""
    folder = tmp_path_factory.mktemp("wrappers")

    def get(name):
        if not (folder / name).exists():
            positions.write(folder / name, *wrappers.kept(name, "config", "shapes", "family"))
        return folder / name
    return get


def copy_of(folder, to, config=None, tensors=None):
    """the folder with another config.json, or other tensors"""
    to.mkdir()
    (to / "config.json").write_text(json.dumps(config or cache.config(folder)))
    if tensors is None:
        (to / "model.safetensors").symlink_to(folder / "model.safetensors")
    else:
        cache.write_weights(to, tensors)
    return to


def first_of_each():
    seen = set()
    for name, row in wrappers.ROWS.items():
        yield name, row["config"]["model_type"] in seen
        seen.add(row["config"]["model_type"])


every_row = pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if other else ()) for name, other in first_of_each()])
every_wrapper = pytest.mark.parametrize("name", [name for name, other in first_of_each() if not other
                                                 and wrappers.ROWS[name]["config"]["model_type"] in wrappers.TOWERS])


def bound_of(name, n):
    """twice PyTorch float32's error, where that is much: on the reference's prompt, or at each point the largest over several"""
    with h5py.File(wrappers.reference(name, n)) as ref:
        if "float32_errors" in ref.attrs:
            return {point: max(BOUND, 2 * error) for point, error in json.loads(ref.attrs["float32_errors"]).items()}
        return max(BOUND, 2 * float(ref.attrs["float32_error"]))


@every_row
def test_every_hook_point_is_what_the_whole_model_computes_of_text(tmp_path, model, name):
    for n in wrappers.ROWS[name]["lengths"]:
        matches(dump(tmp_path / f"{n}.h5", model(name), [prompts.tokens(n)]), wrappers.reference(name, n), bound_of(name, n))


# rows of wrappers.py whose scores are large, their rotation's base, and the first position
LARGE_SCORES = [("qwen2_vl_window", 1e6, 0), ("qwen2_vl_text_tied", 1e6, 0), ("mllama_usual_layers", 5e5, 0), ("paligemma-3b-pt-224", 1e4, 1)]


def rotated(x, base, first):
    """x [pos, head, d_head] by pairs of halves, in float64"""
    half = x.shape[-1] // 2
    angle = (first + np.arange(len(x)))[:, None, None] / base ** (np.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], axis=-1)


@pytest.mark.parametrize("name, base, first", LARGE_SCORES)
def test_rotations_scores_and_patterns_are_as_exact_as_float32_of_what_they_are_made_of(tmp_path, model, name, base, first):
    """each step from what weir itself stored before it, so that nothing is amplified: in units of float32's rounding"""
    run, unit = dump(tmp_path / "run.h5", model(name), [prompts.tokens(90)], "q,k,rot_q,rot_k,attn_scores,pattern"), 2.0 ** -24
    for layer in run.layers("q"):
        q, k, scores, pattern = (run(point, layer) for point in ("rot_q", "rot_k", "attn_scores", "pattern"))
        for point, turned in ("q", q), ("k", k):
            length = np.linalg.norm(turned.reshape(*turned.shape[:2], 2, -1), axis=2)
            assert (np.abs(turned - rotated(run(point, layer), base, first)) <= 4 * unit * np.tile(length, 2)).all(), (point, layer)
        k = np.repeat(k, q.shape[1] // k.shape[1], axis=1)
        products = np.einsum("qhd,khd->hqkd", q, k) / np.sqrt(q.shape[-1])
        seen = np.isfinite(scores)
        assert (np.abs(scores - products.sum(-1)) <= q.shape[-1] * unit * np.abs(products).sum(-1))[seen].all(), layer
        below = np.where(seen, scores, -np.inf) - scores.max(-1, keepdims=True)
        exact = np.exp(below) / np.exp(below).sum(-1, keepdims=True)
        held = exact > 1e-30
        assert (np.abs(pattern - exact)[held] <= 16 * unit * exact[held] * (1 + np.abs(below[held]))).all(), layer


@every_row
def test_the_references_are_of_the_table(name):
    assert kept(name, "config") == wrappers.ROWS[name]["config"]


def test_every_wrapper_has_three_rows():
    rows = [row["config"]["model_type"] for row in wrappers.ROWS.values()]
    text = (cache.ROOT / "lib/model/wrapper.c").read_text()
    known = [line.split('"')[1] for line in text.splitlines() if ".model_type =" in line]
    assert {name: rows.count(name) for name in known if rows.count(name) < 3} == {}


@every_wrapper
def test_the_whole_is_named_and_what_is_left_out(model, name):
    said = cache.weir("info", model(name)).stdout
    assert f"of this {wrappers.ROWS[name]['config']['model_type']} only the text model" in said
    assert "no part of the model: " in said


def prefix(names):
    first = next(name for name in names if name.endswith("embed_tokens.weight"))
    return first.removesuffix("embed_tokens.weight")


@every_wrapper
@pytest.mark.parametrize("other", ["model.language_model.", "language_model.model.", "model."])
def test_the_text_models_tensors_may_have_the_names_of_older_and_newer_files(tmp_path, model, name, other):
    folder, tensors = model(name), cache.weights(model(name))
    own, head = prefix(tensors), "language_model.lm_head." if other == "language_model.model." else "lm_head."
    renamed = {other + key.removeprefix(own) if key.startswith(own) else key.replace("language_model.lm_head.", "lm_head.").replace("lm_head.", head): x
               for key, x in tensors.items()}
    hooks = "logits,resid_post"
    same_caches(dump(tmp_path / "a.h5", folder, [prompts.tokens(11)], hooks),
                dump(tmp_path / "b.h5", copy_of(folder, tmp_path / "other", tensors=renamed), [prompts.tokens(11)], hooks))


@every_wrapper
def test_the_unembedding_is_the_embedding_where_transformers_ties_them(tmp_path, model, name):
    """nine ways to say it, at the top and of the text model; in files without an unembedding"""
    tensors = {key: x for key, x in cache.weights(model(name)).items() if "lm_head" not in key}
    told = kept(name, "config")
    for i, (top, inside, tied) in enumerate(kept(name, "ties")):
        config = {**told, "text_config": dict(told.get("text_config", {}))} if "text_config" in told else dict(told)
        for where, value in (config, top), (config.get("text_config", {}), inside):
            where.pop("tie_word_embeddings", None)
            if value is not None:
                where["tie_word_embeddings"] = value
        folder = copy_of(model(name), tmp_path / str(i), config, tensors)
        hooks = json.loads(cache.weir("hooks", "-m", folder, "--json").stdout)["hooks"]
        assert ("logits" in {hook["short"] for hook in hooks}) == tied, (top, inside)


@pytest.mark.parametrize("name, row, columns", [
    ("gemma-3-4b-it", 262208, 2304), ("llava-1.5-7b-hf", 32000, 4096), ("llava-onevision-qwen2-0.5b-ov-hf", 151936, 4096),
    ("Mistral-Small-3.1-24B-Instruct-2503", 32000, 4096), ("Qwen3-VL-4B-Instruct", 151936, 4096), ("Voxtral-Mini-3B-2507", 131072, 3072),
    ("paligemma-3b-pt-224", 256000, 3072), ("paligemma2-3b-pt-224", 256000, 2304), ("Llama-3.2-11B-Vision", 128264, 4096)])
def test_sizes_that_a_text_configuration_leaves_out_are_those_of_its_class(tmp_path, model, name, row, columns):
    config = kept(name, "config")
    inside = {"model_type": config["text_config"]["model_type"]}
    said = cache.weir("info", copy_of(model(name), tmp_path / "bare", dict(config, text_config=inside)), check=False)
    assert said.returncode != 0 and f"the config requires [{row}, {columns}]" in said.stderr


def test_layers_that_attend_to_images_are_left_out_by_number(model):
    assert "layers 1, 3 of its files attend to images and are left out" in cache.weir("info", model("Llama-3.2-11B-Vision")).stdout


@pytest.mark.parametrize("value, says", [("vision", None), (False, None), (True, "positions see only those before"), ("all", "positions see only those before"),
                                         (3, "must be a truth value or")])
def test_only_attention_within_images_may_be_bidirectional(tmp_path, model, value, says):
    config = kept("medgemma-4b-it", "config")
    config["text_config"]["use_bidirectional_attention"] = value
    said = cache.weir("info", copy_of(model("medgemma-4b-it"), tmp_path / "other", config), check=False)
    assert (said.returncode == 0) == (says is None) and (says or "") in said.stderr


@pytest.mark.parametrize("text", [None, 3, []])
def test_a_wrapper_without_a_text_configuration_is_refused(tmp_path, model, text):
    config = dict(kept("llava-1.5-7b-hf", "config"), text_config=text)
    said = cache.weir("info", copy_of(model("llava-1.5-7b-hf"), tmp_path / "other", config), check=False)
    assert said.returncode == 3 and 'a llava has the configuration of its text model in "text_config", which is absent' in said.stderr


def test_quantization_of_the_whole_is_that_of_the_text_model(tmp_path, model):
    config = dict(kept("llava-1.5-7b-hf", "config"), quantization_config=dict(quant_method="fp8"))
    said = cache.weir("info", copy_of(model("llava-1.5-7b-hf"), tmp_path / "other", config), check=False)
    assert said.returncode == 4 and "weights quantized by fp8" in said.stderr


def test_a_text_model_of_an_unknown_family_is_named(tmp_path, model):
    config = kept("llava-1.5-7b-hf", "config")
    config["text_config"]["model_type"] = "lammmma"
    said = cache.weir("info", copy_of(model("llava-1.5-7b-hf"), tmp_path / "other", config), check=False)
    assert said.returncode == 4 and '"lammmma" is not a family that weir knows' in said.stderr


def test_a_mask_of_a_stored_run_knows_the_text_models_window(tmp_path, model):
    out = tmp_path / "run.h5"
    run = dump(out, model("medgemma-4b-it"), [prompts.tokens(23)], "pattern,attn_scores")
    cache.weir("validate", out)
    assert (run("pattern", 0)[:, 22, :22 - 9 + 1] == 0).all() and np.abs(run("pattern", 0)[:, 22].sum(-1) - 1).max() < 1e-5
