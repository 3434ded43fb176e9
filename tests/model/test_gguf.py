"""GGUF files as llama.cpp's converter writes them (gguf_make.py): weir computes from one what it computes from the folder
that it was made of, bit by bit, since the weights are the same float32 numbers; and it takes nothing on trust."""
import json

import numpy as np
import pytest

import cache
import gguf_make
import prompts
from cache import FIXTURES, config, dump
from configs import CONFIGS, LATER, LENS, LONGROPE, yarn

NO_ARCHITECTURE = "llama.cpp has no such architecture"
NO_WINDOW = "the architecture has no window in llama.cpp"
NO_LISTS = "llama.cpp rotates all layers but every fourth"
NO_ALIBI = "falcon rotates"
NO_DENSE_LAYERS = "every layer is sparse in llama.cpp"

# fixtures whose options no GGUF file can say, so that nothing of theirs is left to compare
UNSAYABLE = {
    "gpt_neo": NO_ARCHITECTURE, "gpt_neo_local": NO_ARCHITECTURE, "gpt_neo_one": NO_ARCHITECTURE, "gpt_neo_wide": NO_ARCHITECTURE,
    "opt": NO_ARCHITECTURE, "opt_projected": NO_ARCHITECTURE, "opt_plain": NO_ARCHITECTURE,
    "mistral": NO_WINDOW, "mistral_narrow": NO_WINDOW, "qwen2_sliding": NO_WINDOW,
    "llama_dynamic": "no type of scaling for it",
    "llama_yarn_mscale": "the magnitudes are not written",
    "gemma2_uncapped": "absent caps are 50 and 30",
    "phi_normed": "phi2 has no norms of queries and keys",
    "falcon_sequential": "falcon is parallel",
    "qwen3_moe_mixed": NO_DENSE_LAYERS, "qwen3_moe_stepped": NO_DENSE_LAYERS,
    "olmoe_summed": "olmoe's weights are never divided by their sum",
    "smollm3_listed": NO_LISTS, "smollm3_every_second": NO_LISTS,
    "gpt_bigcode_multi_head": "starcoder shares keys and values",
    "gpt2_unscaled": "scores are always scaled",
    "falcon_alibi": NO_ALIBI, "falcon_alibi_shared": NO_ALIBI, "falcon_alibi_grouped": NO_ALIBI,
} | dict.fromkeys(LENS, "TransformerLens's own")

# families that weir reads from folders only
FOLDERS_ONLY = {"gpt_oss", "phimoe", *LATER}


def single(x):
    """a number as a GGUF file has it: in float32, where config.json has it in decimal"""
    return float(np.float32(x))


BY_HEAD = dict(query_pre_attn_scalar=16)   # GGUF has no key for it: scores are scaled by the head's size
# options that GGUF cannot say, set to what the architecture means; the rest of the fixture is compared
WITHOUT = {
    "gemma2": BY_HEAD, "gemma2_types": BY_HEAD, "gemma3_text": BY_HEAD, "gemma3_capped": BY_HEAD, "gemma3_scaled": BY_HEAD,
    "gemma_untied": dict(tie_word_embeddings=True),
    "qwen3_moe": dict(norm_topk_prob=True),
    "qwen3_types": dict(layer_types=["full_attention"] * 2, sliding_window=None, use_sliding_window=False),
    "llama_yarn_scaled": yarn(attention_factor=single(1.3), beta_fast=20.0, beta_slow=2.0),
    "phi3_longrope": dict(rope_parameters=dict(
        LONGROPE, short_factor=[single(x) for x in LONGROPE["short_factor"]],
        long_factor=[single(x) for x in LONGROPE["long_factor"]],
        attention_factor=single(np.sqrt(1 + np.log(128 / 32) / np.log(32))))),
    "llama_one_layer": dict(hidden_act="silu"),
    "mixtral_three": dict(sliding_window=None),
    "starcoder2_sliding": dict(sliding_window=None),
    "mpt_clipped": dict(attn_config=dict(clip_qkv=1.2, alibi_bias_max=8)),
    "gpt2_scaled": dict(scale_attn_by_inverse_layer_idx=False, activation_function="gelu_new"),
    "gpt_neox_half": dict(hidden_act="gelu"),
    "gptj_wide": dict(activation_function="gelu_new"), "gptj_two": dict(activation_function="gelu_new"),
    "phi_shared": dict(hidden_act="gelu_new"),
    "gpt_bigcode_untied": dict(activation_function="gelu_pytorch_tanh"),
    "nemotron_tied": dict(hidden_act="relu2"),
}

SAYABLE = sorted(p.name for p in FIXTURES.iterdir() if p.is_dir() and p.name not in UNSAYABLE
                 and config(p)["model_type"] not in FOLDERS_ONLY)


def changed_folder(tmp_path, name, changes):
    """a fixture with other options: its weights, a configuration of its own"""
    folder = tmp_path / name
    folder.mkdir()
    for file in (FIXTURES / name).glob("model*"):
        (folder / file.name).symlink_to(file)
    (folder / "config.json").write_text(json.dumps({**config(FIXTURES / name), **changes}))
    if changes.get("tie_word_embeddings"):  # a head of other values would win, and GGUF files of these have none
        without_head(folder)
    return folder


def without_head(folder):
    tensors = {name: x for name, x in cache.weights(folder).items() if name != "lm_head.weight"}
    for file in folder.glob("model*"):
        file.unlink()
    cache.write_weights(folder, tensors)


def both(tmp_path, folder, gguf):
    """what weir computes from the folder and from the file"""
    ids = [prompts.tokens(90), prompts.tokens(7, seed=1)]
    return (dump(tmp_path / "folder.h5", folder, ids, "*,result"), dump(tmp_path / "gguf.h5", gguf, ids, "*,result"))


def equal(a, b):
    assert a.names == b.names
    for name in a.names:
        for layer in a.layers(name):
            for prompt in range(2):
                x, y = a.whole(name, layer, prompt), b.whole(name, layer, prompt)
                assert np.array_equal(x, y, equal_nan=True), f"{name}, layer {layer}, prompt {prompt}"


def runs_slow(name):
    """as in test_families.py: a family's options are for --full"""
    return pytest.mark.slow if name in CONFIGS and CONFIGS[name]["family"] != name else ()


@pytest.mark.parametrize("name", [pytest.param(name, marks=runs_slow(name)) for name in SAYABLE])
def test_a_gguf_file_computes_what_its_folder_does(tmp_path, name):
    folder = changed_folder(tmp_path, name, WITHOUT.get(name, {}))
    a, b = both(tmp_path, folder, gguf_make.convert(folder, tmp_path / "model.gguf"))
    equal(a, b)


def test_every_architecture_is_compared():
    compared = {gguf_make.FAMILIES[config(FIXTURES / name)["model_type"]].architecture for name in SAYABLE}
    assert compared == {family.architecture for family in gguf_make.FAMILIES.values()}
    assert set(UNSAYABLE) | set(WITHOUT) <= {p.name for p in FIXTURES.iterdir()}


# ---- what only llama.cpp's code says ----

def tall_folder(tmp_path, name, n_layers, changes):
    """a fixture with its layers repeated until there are n_layers"""
    old = config(FIXTURES / name)
    tensors, taller = cache.weights(FIXTURES / name), {}
    for key, x in tensors.items():
        head, _, rest = key.partition("layers.")
        first, _, rest = rest.partition(".")
        for i in range(int(first), n_layers, old["num_hidden_layers"]) if rest else [None]:
            taller[key if i is None else f"{head}layers.{i}.{rest}"] = x
    folder = tmp_path / name
    folder.mkdir()
    cache.write_weights(folder, taller)
    (folder / "config.json").write_text(json.dumps({**old, "num_hidden_layers": n_layers, **changes}))
    return folder


@pytest.mark.parametrize("name, n_layers, every", [("gemma2", 46, 2), ("gemma3_text", 62, 6)])
def test_the_largest_gemma_scales_scores_by_its_width(tmp_path, name, n_layers, every):
    types = ["sliding_attention" if (i + 1) % every else "full_attention" for i in range(n_layers)]
    folder = tall_folder(tmp_path, name, n_layers, dict(query_pre_attn_scalar=8, layer_types=types))
    equal(*both(tmp_path, folder, gguf_make.convert(folder, tmp_path / "model.gguf")))


def test_the_norms_of_stablelm_say_whether_its_blocks_are_parallel(tmp_path):
    """files of the first StableLM have the key wrong"""
    gguf = gguf_make.convert(FIXTURES / "stablelm", tmp_path / "model.gguf", lambda w, _: w.add_parallel_residual(True))
    equal(*both(tmp_path, FIXTURES / "stablelm", gguf))


def test_absent_keys_mean_what_they_do_in_llama_cpp(tmp_path):
    """the widths of heads and the base of rotation, which published Llamas' files may leave out"""
    def leave_out(w, _):
        for key in ("attention.head_count_kv", "rope.dimension_count", "rope.freq_base"):
            del w.kv_data[0]["llama." + key]
    folder = tall_folder(tmp_path, "llama_one_layer", 1, dict(hidden_act="silu"))
    equal(*both(tmp_path, folder, gguf_make.convert(folder, tmp_path / "model.gguf", leave_out)))


@pytest.mark.parametrize("key, n", [("attention.head_count", 6), ("attention.head_count_kv", 2), ("feed_forward_length", 88),
                                    ("attention.key_length", 8)])
def test_one_number_for_all_layers_may_be_one_for_each(tmp_path, key, n):
    """as converters write it of architectures whose layers may differ"""
    gguf = gguf_make.convert(FIXTURES / "llama", tmp_path / "model.gguf", lambda w, _: w.add_array("llama." + key, [n, n, n]))
    equal(*both(tmp_path, FIXTURES / "llama", gguf))


@pytest.mark.parametrize("key, value", [("residual_scale", 0.5), ("logit_scale", 4.0), ("attn_logit_softcapping", 2.0),
                                        ("attention.clamp_kqv", 0.1), ("attention.max_alibi_bias", 4.0)])
def test_what_llama_cpp_reads_for_other_architectures_means_nothing(tmp_path, key, value):
    gguf = gguf_make.convert(FIXTURES / "llama", tmp_path / "model.gguf", lambda w, _: w.add_float32("llama." + key, value))
    equal(*both(tmp_path, FIXTURES / "llama", gguf))


# ---- hostile files ----

def refusal(tmp_path, name, extra=None, tensors=None):
    """the exit code and the one line that says why"""
    gguf = gguf_make.convert(FIXTURES / name, tmp_path / "bad.gguf", extra, tensors)
    done = cache.weir("hooks", "-m", gguf, check=False)
    assert done.stderr.count("\n") == 1 and "bad.gguf" in done.stderr, done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("name, key", [("llama", "llama.attention.layer_norm_rms_epsilon"), ("gpt2", "gpt2.attention.layer_norm_epsilon"),
                                       ("olmo2", "olmo2.attention.layer_norm_rms_epsilon")])
def test_a_file_without_its_norms_epsilon_is_refused(tmp_path, name, key):
    code, line = refusal(tmp_path, name, lambda w, _: w.kv_data[0].pop(key))
    assert code == 3 and key in line and "convert the model again" in line, line


@pytest.mark.parametrize("key, write, code", [
    ("block_count", ("add_string", "three"), 3),
    ("block_count", ("add_float32", 3.0), 3),
    ("block_count", ("add_uint32", 0), 3),
    ("block_count", ("add_uint64", 1 << 63), 3),
    ("block_count", ("add_int32", -3), 3),
    ("embedding_length", ("add_bool", True), 3),
    ("attention.head_count", ("add_array", [6, 6, 4]), 4),
    ("attention.head_count_kv", ("add_array", [2, 1, 2]), 4),
    ("attention.head_count", ("add_array", ["6", "6", "6"]), 3),
    ("feed_forward_length", ("add_array", [88.0, 88.0]), 3),
    ("attention.head_count_kv", ("add_uint32", 4), 3),
    ("attention.layer_norm_rms_epsilon", ("add_string", "1e-6"), 3),
    ("attention.layer_norm_rms_epsilon", ("add_float32", float("nan")), 3),
    ("attention.sliding_window", ("add_float32", 9.0), 3),
    ("attention.sliding_window_pattern", ("add_array", [True]), 3),
    ("attention.sliding_window_pattern", ("add_array", ["yes", "no", "yes"]), 3),
    ("attention.sliding_window_pattern", ("add_string", "all"), 3),
    ("attention.key_length", ("add_uint32", 9), 4),
    ("attention.causal", ("add_bool", False), 4),
    ("rope.freq_base", ("add_float32", float("inf")), 3),
    ("rope.freq_base", ("add_float32", 0.0), 3),
    ("rope.dimension_count", ("add_uint32", 6), 4),
    ("rope.scaling.type", ("add_uint32", 1), 3),
    ("rope.scaling.type", ("add_string", "a type that is longer than any"), 4),
    ("rope.scaling.type", ("add_string", "longrope"), 3),
    ("rope.scaling.type", ("add_string", "spiral"), 4),
    ("expert_count", ("add_uint32", 4), 3),
    ("expert_gating_func", ("add_uint32", 2), 4),
])
def test_metadata_of_the_wrong_type_or_size_is_refused(tmp_path, key, write, code):
    method, value = write
    got, line = refusal(tmp_path, "llama", lambda w, _: getattr(w, method)("llama." + key, value))
    assert got == code, line


@pytest.mark.parametrize("name, x", [
    ("rope_factors_long", [1, 1, 1]), ("rope_factors_short", [1] * 5), ("rope_factors_short", [1, 1, 0, 1]),
    ("rope_factors_long", [1, -1, 1, 1]), ("rope_factors_long", [1, np.nan, 1, 1]), ("rope_factors_long", [[1, 1], [1, 1]]),
])
def test_factors_of_frequencies_are_checked(tmp_path, name, x):
    code, line = refusal(tmp_path, "phi3_longrope", tensors={name + ".weight": np.array(x, np.float32)})
    assert code == 3 and "factor" in line


@pytest.mark.parametrize("x", [[1] * 3, [1, 1, 0, 1], [1, np.inf, 1, 1]])
def test_rope_freqs_are_checked(tmp_path, x):
    code, line = refusal(tmp_path, "llama3_rope", tensors={"rope_freqs.weight": np.array(x, np.float32)})
    assert code == 3 and "rope_freqs" in line


@pytest.mark.parametrize("architecture", ["phimoe", "gpt-oss", "mamba"])
def test_architectures_that_weir_does_not_know_are_named(tmp_path, architecture):
    code, line = refusal(tmp_path, "llama", lambda w, _: w.add_string("general.architecture", architecture))
    assert code == 4 and architecture in line


@pytest.mark.parametrize("architecture", [b"ll\x80ma", b"llam\0", b"l" * 64])
def test_architectures_that_are_no_names_are_refused(tmp_path, architecture):
    """text=True in cache.weir: what is printed is UTF-8"""
    stand_in = "x" * len(architecture)
    gguf = gguf_make.convert(FIXTURES / "llama", tmp_path / "bad.gguf", lambda w, _: w.add_string("general.architecture", stand_in))
    gguf.write_bytes(gguf.read_bytes().replace(stand_in.encode(), architecture, 1))
    done = cache.weir("hooks", "-m", gguf, check=False)
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and "general.architecture" in done.stderr
