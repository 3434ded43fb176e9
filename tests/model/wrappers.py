"""Configurations that have no folder among the fixtures: published ones (published/), shrunk, and models around a text model.

As for the kinds of positions (positions.py), weights are drawn for the names and shapes that the reference lists, so what is kept is
the reference alone: wrapped/NAME_N.h5, made by make.py from transformers' own class of the whole model, which is given text.
"""
import copy
import json
from pathlib import Path

import h5py

HERE = Path(__file__).resolve().parent
WRAPPED, PUBLISHED = HERE / "wrapped", HERE / "published"

VOCAB = 211
# of a text model's configuration; what it leaves out stays left out
SIZES = dict(hidden_size=48, intermediate_size=88, vocab_size=VOCAB, head_dim=16)
LEFT_OUT = ("num_attention_heads", "vocab_size")        # a class's own sizes: then the width is small instead
TOWER = dict(hidden_size=16, intermediate_size=16, num_attention_heads=2, attention_heads=2, num_heads=2, num_hidden_layers=1, depth=1,
             embed_dim=16, image_size=28, patch_size=14, num_global_layers=1, vision_output_dim=32, intermediate_layers_indices=[0],
             fullatt_block_indexes=[0], deepstack_visual_indexes=[0], num_position_embeddings=4, projection_dim=8, vocab_size=VOCAB,
             max_source_positions=4, num_mel_bins=4, num_key_value_heads=2, head_dim=8, out_hidden_size=48)
# sizes by which a class lays out what it does not run, and that a small model can do without
ALL_SIZES = dict(num_attention_heads=6, num_hidden_layers=2, **SIZES)


def shrink_text(config, layers):
    """a text model's configuration with small sizes, and all else as it is"""
    small = {key: SIZES[key] if key in SIZES else value for key, value in config.items()}
    heads, shared = config.get("num_attention_heads"), config.get("num_key_value_heads")
    if heads:
        small["num_attention_heads"] = 6
    if shared:
        small["num_key_value_heads"] = 1 if shared == 1 else 6 if shared == heads else 2
    if "num_hidden_layers" in config:
        small["num_hidden_layers"] = layers
    if config.get("sliding_window"):
        small["sliding_window"] = 9
    if "cross_attention_layers" in config:
        small["cross_attention_layers"] = [1, 3]
    if "layer_types" in config:
        small["layer_types"] = config["layer_types"][:layers]
    if (config.get("pad_token_id") or 0) >= VOCAB:
        small["pad_token_id"] = 0
    for key in ("rope_scaling", "rope_parameters"):
        if (config.get(key) or {}).get("mrope_section"):
            half = small.get("head_dim", small["hidden_size"] // 6) // 2
            small[key] = dict(config[key], mrope_section=[half - 2 * (half // 3), half // 3, half // 3])
        if (config.get(key) or {}).get("original_max_position_embeddings"):
            small[key] = dict(config[key], original_max_position_embeddings=32)
    return small


def shrink(config, layers, sizes=None):
    """a published configuration with small sizes; `sizes` are set where leaving them out would make a large model"""
    config = copy.deepcopy(config)
    inside = config.get("text_config")
    if inside is None:
        config = shrink_text(config, layers)
        config.update(sizes or {})
    else:
        config["text_config"] = dict(shrink_text(inside, layers), **(sizes or {}))
        for key in ("hidden_size", "projection_dim"):
            if key in config:
                config[key] = config["text_config"]["hidden_size"]
    for tower in ("vision_config", "audio_config"):
        if tower in config:
            config[tower] = {key: TOWER.get(key, value) for key, value in config[tower].items()}
            if config["model_type"] in ("qwen2_vl", ) and "hidden_size" in config[tower]:
                config[tower]["hidden_size"] = 48                     # there the text model's
            if config["model_type"] == "paligemma":
                config[tower]["projection_dim"] = config["text_config"]["hidden_size"]
    return config


def published(name, layers=2, lengths=(90,), draws=1, **sizes):
    return dict(config=shrink(json.loads((PUBLISHED / f"{name}.json").read_text()), layers, sizes), lengths=lengths, draws=draws)


def wrapper(model_type, text, lengths=(90,), draws=1, **top):
    """one that is not published: `text` changes a small text model; `draws`: see NOISY"""
    tower = {"voxtral": "audio_config"}.get(model_type, "vision_config")
    config = dict(model_type=model_type, text_config=dict(SMALL, **text), **{tower: TOWERS[model_type]}, **top)
    return dict(config=config, lengths=lengths, draws=draws)


# Prompts over which PyTorch float32's largest error is taken, at each point by itself, where large scores amplify what
# rounding leaves in them: a pattern's worst row then errs by several times more on one prompt than on another, in weir and
# in PyTorch alike (noise.py shows both), so that one prompt says little about how near is near enough.
NOISY = 16


SMALL = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=88, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
             max_position_embeddings=128)
PLAIN = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
CLIP, SIGLIP = dict(PLAIN, model_type="clip_vision_model", projection_dim=8), dict(PLAIN, model_type="siglip_vision_model")
QWEN = dict(depth=1, hidden_size=16, num_heads=2, out_hidden_size=48, intermediate_size=16)
TOWERS = dict(
    gemma3=SIGLIP, mistral3=dict(PLAIN, model_type="pixtral", head_dim=8), llava=CLIP, llava_next=CLIP, llava_onevision=SIGLIP,
    idefics3=PLAIN, smolvlm=PLAIN, qwen2_vl=dict(depth=1, embed_dim=16, hidden_size=48, num_heads=2),
    qwen2_5_vl=dict(QWEN, fullatt_block_indexes=[0]), qwen3_vl=dict(QWEN, deepstack_visual_indexes=[0], num_position_embeddings=4),
    voxtral=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, max_source_positions=4, num_mel_bins=4),
    paligemma=SIGLIP,
    mllama=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_global_layers=1, attention_heads=2, vision_output_dim=32,
                image_size=28, patch_size=14, max_num_tiles=4, intermediate_layers_indices=[0]))
LONG = (1, 23, 90)


def mrope(*section):
    return dict(rope_parameters=dict(rope_type="default", mrope_section=list(section), rope_theta=1e6))


# the first of a wrapper is run by every `script/test`, the others by `--full`
ROWS = {
    "gemma-3-4b-it": published("gemma-3-4b-it", 6, (1, 23), hidden_size=8, head_dim=4),
    "gemma-3-27b-it": published("gemma-3-27b-it", 6, vocab_size=VOCAB),
    "medgemma-4b-it": published("medgemma-4b-it", 6),
    "gemma3_untied": wrapper("gemma3", dict(head_dim=16, sliding_window=9, query_pre_attn_scalar=24, final_logit_softcapping=5.0,
                                            layer_types=["full_attention", "sliding_attention"]), tie_word_embeddings=False),
    "Mistral-Small-3.1-24B-Instruct-2503": published("Mistral-Small-3.1-24B-Instruct-2503", lengths=LONG),
    "mistral3_untied": wrapper("mistral3", dict(model_type="mistral", sliding_window=9, head_dim=20), tie_word_embeddings=False),
    "mistral3_llama": wrapper("mistral3", dict(model_type="llama", attention_bias=True)),
    "llava-1.5-7b-hf": published("llava-1.5-7b-hf", lengths=LONG, **ALL_SIZES),
    "llava_qwen2": wrapper("llava", dict(model_type="qwen2", tie_word_embeddings=True)),
    "llava_without_a_type": wrapper("llava", dict(num_key_value_heads=1), tie_word_embeddings=True),
    "llava-v1.6-mistral-7b-hf": published("llava-v1.6-mistral-7b-hf", lengths=LONG, num_attention_heads=6, num_hidden_layers=2,
                                          hidden_size=48),
    "llava_next_qwen2": wrapper("llava_next", dict(model_type="qwen2", tie_word_embeddings=True)),
    "llava_next_tied": wrapper("llava_next", dict(num_key_value_heads=6), tie_word_embeddings=True),
    "llava-onevision-qwen2-0.5b-ov-hf": published("llava-onevision-qwen2-0.5b-ov-hf", lengths=LONG),
    "llava_onevision_untied": wrapper("llava_onevision", dict(use_sliding_window=True, sliding_window=9, max_window_layers=1)),
    "llava_onevision_llama": wrapper("llava_onevision", dict(model_type="llama", mlp_bias=True)),
    "Idefics3-8B-Llama3": published("Idefics3-8B-Llama3", lengths=LONG),
    "idefics3_tied": wrapper("idefics3", dict(num_key_value_heads=1), tie_word_embeddings=True),
    "idefics3_mistral": wrapper("idefics3", dict(model_type="mistral", sliding_window=9)),
    "SmolVLM2-256M-Video-Instruct": published("SmolVLM2-256M-Video-Instruct", lengths=LONG),
    "smolvlm_tied": wrapper("smolvlm", dict(head_dim=20, tie_word_embeddings=True), tie_word_embeddings=True),
    "smolvlm_text_tied": wrapper("smolvlm", dict(attention_bias=True, tie_word_embeddings=True)),
    "Qwen2-VL-2B-Instruct": published("Qwen2-VL-2B-Instruct", lengths=LONG),
    "qwen2_vl_window": wrapper("qwen2_vl", dict(use_sliding_window=True, sliding_window=9, max_window_layers=1, **mrope(1, 1, 2)), draws=NOISY),
    "qwen2_vl_text_tied": wrapper("qwen2_vl", dict(num_key_value_heads=1, tie_word_embeddings=True, **mrope(2, 1, 1)), draws=NOISY),
    "Qwen2.5-VL-3B-Instruct": published("Qwen2.5-VL-3B-Instruct", lengths=LONG),
    "qwen2_5_vl_untied": wrapper("qwen2_5_vl", dict(num_key_value_heads=6, **mrope(2, 1, 1))),
    "qwen2_5_vl_yarn": wrapper("qwen2_5_vl", dict(rope_parameters=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=32, mrope_section=[2, 1, 1], rope_theta=1e6))),
    "Qwen3-VL-4B-Instruct": published("Qwen3-VL-4B-Instruct", lengths=LONG),
    "qwen3_vl_untied": wrapper("qwen3_vl", dict(head_dim=20, tie_word_embeddings=True, **mrope(4, 3, 3))),
    "qwen3_vl_biased": wrapper("qwen3_vl", dict(head_dim=16, num_key_value_heads=1, attention_bias=True, **mrope(2, 3, 3))),
    "Voxtral-Mini-3B-2507": published("Voxtral-Mini-3B-2507", lengths=LONG),
    "voxtral_tied_in_vain": wrapper("voxtral", dict(num_key_value_heads=1, head_dim=16), tie_word_embeddings=True, audio_token_id=24),
    "voxtral_mistral": wrapper("voxtral", dict(model_type="mistral", sliding_window=9, rope_theta=1e4), audio_token_id=24),
    "paligemma-3b-pt-224": published("paligemma-3b-pt-224", lengths=LONG, draws=NOISY, head_dim=16),
    "paligemma2-3b-pt-224": published("paligemma2-3b-pt-224", head_dim=16, num_attention_heads=6),
    "paligemma_untied": wrapper("paligemma", dict(model_type="gemma", head_dim=16, attention_bias=True), tie_word_embeddings=False,
                                projection_dim=48),
    "Llama-3.2-11B-Vision": published("Llama-3.2-11B-Vision", 5, lengths=LONG),
    "mllama_first_layer": wrapper("mllama", dict(num_hidden_layers=3, cross_attention_layers=[0], pad_token_id=0)),
    "mllama_usual_layers": wrapper("mllama", dict(num_hidden_layers=5, num_key_value_heads=1, pad_token_id=0), draws=NOISY),
    "Ministral-3-3B-Instruct-2512-BF16": published("Ministral-3-3B-Instruct-2512-BF16"),
    "Olmo-3-1125-32B": published("Olmo-3-1125-32B", 4),
    "Olmo-3-1025-7B": published("Olmo-3-1025-7B", 4),
    "c4ai-command-r7b-12-2024": published("c4ai-command-r7b-12-2024", 4, head_dim=8),
    "EXAONE-4.0-32B": published("EXAONE-4.0-32B", 4),
    "EXAONE-4.0-1.2B": published("EXAONE-4.0-1.2B"),
    "glm-4-9b-chat-hf": published("glm-4-9b-chat-hf"),
    "GLM-4-9B-0414": published("GLM-4-9B-0414"),
    "ERNIE-4.5-0.3B-PT": published("ERNIE-4.5-0.3B-PT"),
    "Seed-OSS-36B-Instruct": published("Seed-OSS-36B-Instruct"),
    "helium-1-2b": published("helium-1-2b", head_dim=8),
    "AFM-4.5B": published("AFM-4.5B"),
    "vaultgemma-1b": published("vaultgemma-1b"),
    "FlexOlmo-7x7B-1T": published("FlexOlmo-7x7B-1T"),
    "persimmon-8b-chat": published("persimmon-8b-chat", num_attention_heads=4, num_key_value_heads=4),
    "biogpt-347m": published("biogpt-347m"),
    "internlm3-8b-instruct": published("internlm3-8b-instruct"),
    "cwm-32b": published("cwm-32b", 5),
}

# the oracle's family that has a text model's parts where it has them
FAMILY = dict(qwen2_vl="qwen2", qwen2_5_vl="qwen2", qwen3_vl="qwen3", gemma3="gemma3_text", mllama="llama", llava_onevision="qwen2",
              paligemma="gemma", mistral3="mistral")
FIXED = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "mllama")    # whatever the text configuration calls itself


def family_of(config):
    outer, inner = config["model_type"], config.get("text_config", {}).get("model_type")
    if outer not in TOWERS:
        return outer
    return inner if inner and outer not in FIXED else FAMILY.get(outer, "llama")


def paths_of(config):
    """where transformers' module of the whole has the text model, if it is not all"""
    if config["model_type"] not in TOWERS:
        return {}
    at = "model.text_model." if config["model_type"] in ("idefics3", "smolvlm") else "model.language_model."
    return dict(blocks=at + "layers", ln_final=at + "norm")


def reference(name, n=None):
    """the file of a row's reference, by default of its longest prompt"""
    return WRAPPED / f"{name}_{n or max(ROWS[name]['lengths'])}.h5"


def kept(name, *what):
    """attributes of a row's reference: "config", "shapes", "ties", and "family"."""
    with h5py.File(reference(name)) as ref:
        return [ref.attrs[key] if key == "family" else json.loads(ref.attrs[key]) for key in what]
