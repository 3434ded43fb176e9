#!/usr/bin/env python3
"""Writes a Hugging Face folder as the GGUF file that llama.cpp's converter makes of it, in float32.

    .venv/bin/python tests/model/gguf_make.py tests/model/fixtures/llama llama.gguf

One row of FAMILIES a model_type: its architecture, what the converter does to its weights, and the keys it writes beside
the sizes. Tensors are named by the `gguf` package's own map. Where the converter takes a size for what published models
have (an MLP of four times the width, heads that fill the width), the true size is written: llama.cpp reads it as well.
"""
import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import gguf
import numpy as np

import cache

ARCHITECTURES = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}


@dataclass
class Family:
    architecture: str
    pairs: bool = False              # rows of q and k are put in the order of the pairs that turn together
    adds_one: bool = False           # to the weights of norms
    transposed: tuple = ()           # these are [in, out] in the folder
    prefix: str = ""                 # taken off names before they are looked up
    groups: Callable | None = None   # fused q, k, v: of how many groups (each its q heads, a k, a v) to all q, all k, all v
    no_head: bool = False            # the head's own matrix is left out
    keys: tuple = field(default=())  # functions that write what the family has beside the sizes


def get(config, *names, default=None):
    """The first of the names that the configuration has and that is not null."""
    return next((config[name] for name in names if config.get(name) is not None), default)


def width(config):
    return get(config, "hidden_size", "n_embd", "d_model")


def heads(config):
    return get(config, "num_attention_heads", "n_head", "n_heads")


def kv_heads(config):
    if config["model_type"] == "falcon" and not config["new_decoder_architecture"]:
        return 1 if config["multi_query"] else heads(config)
    return get(config, "num_key_value_heads", "num_kv_heads", default=heads(config))


def layers(config):
    return get(config, "num_hidden_layers", "n_layer", "n_layers")


def head_size(config):
    return get(config, "head_dim", default=width(config) // heads(config))


def rope(config, which="full_attention"):
    found = get(config, "rope_parameters", default={})
    return found.get(which, found)


# ---- keys ----

def sizes(w, config):
    w.add_block_count(layers(config))
    w.add_context_length(get(config, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", default=2048))
    w.add_embedding_length(width(config))
    w.add_feed_forward_length(get(config, "intermediate_size", "n_inner", "ffn_hidden_size", default=4 * width(config)))
    w.add_head_count(heads(config))
    w.add_head_count_kv(kv_heads(config))
    if get(config, "head_dim"):
        w.add_key_length(head_size(config))
        w.add_value_length(head_size(config))


def norm_eps(w, config):
    if eps := get(config, "rms_norm_eps"):
        w.add_layer_norm_rms_eps(eps)
    if eps := get(config, "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"):
        w.add_layer_norm_eps(eps)


def fixed_eps(w, config):
    w.add_layer_norm_eps(1e-5)


def rope_theta(w, config):
    w.add_rope_freq_base(rope(config)["rope_theta"])
    if "sliding_attention" in config["rope_parameters"]:
        w.add_rope_freq_base_swa(rope(config, "sliding_attention")["rope_theta"])


def rope_scaling(w, config):
    found = rope(config)
    if found["rope_type"] == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(found["factor"])
    if found["rope_type"] == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(found["factor"])
        w.add_rope_scaling_orig_ctx_len(found["original_max_position_embeddings"])
        for key, write in (("attention_factor", w.add_rope_scaling_yarn_attn_factor),
                           ("beta_fast", w.add_rope_scaling_yarn_beta_fast),
                           ("beta_slow", w.add_rope_scaling_yarn_beta_slow)):
            if found.get(key) is not None:
                write(found[key])


def whole_heads_turn(w, config):
    w.add_rope_dimension_count(head_size(config))


def part_of_heads_turns(w, config):
    part = get(rope(config), "partial_rotary_factor", default=get(config, "rotary_pct", default=1.0))
    w.add_rope_dimension_count(get(config, "rotary_dim", default=int(part * head_size(config))))


def vocabulary(w, config):
    w.add_vocab_size(config["vocab_size"])


def parallel(w, config):
    w.add_parallel_residual(config["use_parallel_residual"])


def experts(w, config):
    if n := get(config, "num_local_experts", "num_experts"):
        w.add_expert_count(n)
        w.add_expert_used_count(config["num_experts_per_tok"])
    if n := get(config, "moe_intermediate_size"):
        w.add_expert_feed_forward_length(n)


def clip(w, config):
    limit = get(config, "clip_qkv", default=get(config.get("attn_config", {}), "clip_qkv"))
    if limit is not None:
        w.add_clamp_kqv(limit)


def biases(w, config):
    w.add_max_alibi_bias(float(config["attn_config"]["alibi_bias_max"]))


def score_cap(w, config):
    if cap := get(config, "attn_logit_softcapping"):
        w.add_attn_logit_softcapping(cap)


def logit_cap(w, config):
    if cap := get(config, "final_logit_softcapping"):
        w.add_final_logit_softcapping(cap)


def window(w, config):
    """Phi-3 has 0 for none. The pattern is written where it is not the architecture's own."""
    w.add_sliding_window(get(config, "sliding_window", default=0))
    types = [kind == "sliding_attention" for kind in get(config, "layer_types", default=[])]
    every = {"gemma2": 2, "gemma3_text": 6}.get(config["model_type"])
    if every and types != [(i + 1) % every != 0 for i in range(layers(config))]:
        w.add_sliding_window_pattern(types)


def long_factors(w, config):
    found = rope(config)
    w.add_rope_scaling_orig_ctx_len(get(found, "original_max_position_embeddings",
                                        default=get(config, "original_max_position_embeddings", default=4096)))
    if "long_factor" in found:
        original = found["original_max_position_embeddings"]
        scale = config["max_position_embeddings"] / original
        w.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(scale) / np.log(original))) if scale > 1 else 1.0)


def multipliers(w, config):
    w.add_attention_scale(config["attention_multiplier"])
    w.add_embedding_scale(config["embedding_multiplier"])
    w.add_residual_scale(config["residual_multiplier"])
    w.add_logit_scale(config["logits_scaling"])


def logit_scale(w, config):
    w.add_logit_scale(config["logit_scale"])
    w.add_rope_scaling_type(gguf.RopeScalingType.NONE)


LLAMA = (norm_eps, rope_theta, rope_scaling, experts)

FAMILIES = {
    "gpt2": Family("gpt2", transposed=("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"), keys=(norm_eps,)),
    "gptj": Family("gptj", keys=(norm_eps, part_of_heads_turns)),
    "gpt_neox": Family("gptneox", groups=heads, keys=(norm_eps, part_of_heads_turns, parallel)),
    "bloom": Family("bloom", prefix="transformer.", groups=heads, keys=(norm_eps,)),
    "llama": Family("llama", pairs=True, keys=(*LLAMA, whole_heads_turn, vocabulary)),
    "mistral": Family("llama", pairs=True, keys=(*LLAMA, whole_heads_turn, vocabulary)),
    "mixtral": Family("llama", pairs=True, keys=(*LLAMA, whole_heads_turn, vocabulary)),
    "qwen2": Family("qwen2", keys=LLAMA),
    "qwen3": Family("qwen3", keys=LLAMA),
    "qwen3_moe": Family("qwen3moe", keys=LLAMA),
    "gemma": Family("gemma", adds_one=True, no_head=True, keys=(norm_eps,)),
    "gemma2": Family("gemma2", adds_one=True, no_head=True, keys=(norm_eps, score_cap, logit_cap, window)),
    "gemma3_text": Family("gemma3", adds_one=True, keys=(*LLAMA, logit_cap, window)),
    "phi": Family("phi2", keys=(norm_eps, part_of_heads_turns)),
    "phi3": Family("phi3", keys=(norm_eps, part_of_heads_turns, rope_theta, window, long_factors)),
    "stablelm": Family("stablelm", keys=(norm_eps, part_of_heads_turns, parallel)),
    "olmo": Family("olmo", pairs=True, keys=(*LLAMA, fixed_eps, clip)),
    "olmo2": Family("olmo2", keys=LLAMA),
    "olmoe": Family("olmoe", keys=LLAMA),
    "starcoder2": Family("starcoder2", keys=LLAMA),
    "granite": Family("granite", pairs=True, keys=(*LLAMA, whole_heads_turn, vocabulary, multipliers)),
    "falcon": Family("falcon", groups=kv_heads, keys=(norm_eps,)),
    "mpt": Family("mpt", keys=(fixed_eps, clip, biases)),
    "smollm3": Family("smollm3", pairs=True, keys=(*LLAMA, whole_heads_turn, vocabulary)),
    "cohere": Family("command-r", keys=(*LLAMA, logit_scale)),
    "gpt_bigcode": Family("starcoder", keys=(norm_eps,)),
    "nemotron": Family("nemotron", adds_one=True, keys=(*LLAMA, vocabulary, part_of_heads_turns)),
}


# ---- tensors ----

def pairs_first(x, n_heads):
    """[head, half, d_head / 2] -> [head, d_head / 2, half]"""
    return x.reshape(n_heads, 2, x.shape[0] // n_heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def ungroup(x, n_groups, config):
    """for each group its q heads, k, v -> all q, all k, all v"""
    x = x.reshape(n_groups, heads(config) // n_groups + 2, head_size(config), *x.shape[1:])
    parts = x[:, :-2], x[:, -2:-1], x[:, -1:]
    return np.concatenate([part.reshape(-1, *x.shape[3:]) for part in parts])


def changed(name, x, family, config):
    if family.pairs and re.search(r"\.q_proj\.", name):
        return pairs_first(x, heads(config))
    if family.pairs and re.search(r"\.k_proj\.", name):
        return pairs_first(x, kv_heads(config))
    if family.groups and "query_key_value" in name:
        return ungroup(x, family.groups(config), config)
    if family.adds_one and name.endswith("norm.weight"):
        return x + np.float32(1)
    if name.endswith(".weight") and name.removesuffix(".weight").endswith(family.transposed or "?"):
        return x.T
    return x


def stack(tensors):
    """Experts' matrices and heads' norms, one tensor each in the folder, as one tensor a layer."""
    found = {}
    for name, x in tensors.items():
        name = name.replace("block_sparse_moe", "mlp")
        for old, new in (("w1", "gate_proj"), ("w2", "down_proj"), ("w3", "up_proj")):
            name = re.sub(rf"(experts\.\d+\.){old}\b", rf"\g<1>{new}", name)
        match = re.fullmatch(r"(.*\.)(?:experts|norms)\.(\d+)\.(.*)", name)
        if match:
            kind = "experts." if ".experts." in name else ""
            found.setdefault(match[1] + kind + match[3], {})[int(match[2])] = x
        else:
            found[name] = x
    return {name: np.stack([x[i] for i in sorted(x)]) if isinstance(x, dict) else x for name, x in found.items()}


def smooth_factors(config):
    """Llama 3.1's scaling as what divides each frequency."""
    found, size = rope(config), head_size(config)
    turns = found["original_max_position_embeddings"] / (2 * np.pi * found["rope_theta"] ** (np.arange(0, size, 2) / size))
    low, high = found["low_freq_factor"], found["high_freq_factor"]
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return 1 / ((1 - smooth) / found["factor"] + smooth)


def rope_tensors(config):
    found = rope(config)
    kind = found.get("rope_type")
    if kind == "llama3":
        yield "rope_freqs.weight", smooth_factors(config)
    if kind == "longrope":
        yield "rope_factors_long.weight", np.array(found["long_factor"])
        yield "rope_factors_short.weight", np.array(found["short_factor"])


def tensors_of(folder, family, config):
    names = gguf.get_tensor_name_map(ARCHITECTURES[family.architecture], layers(config))
    for name, x in stack(cache.weights(folder)).items():
        if name == "lm_head.weight" and family.no_head:
            continue
        new = names.get_name(name.removeprefix(family.prefix), try_suffixes=(".weight", ".bias"))
        if new is None:
            raise ValueError(f"{family.architecture} has no tensor for {name}")
        yield new, changed(name, x, family, config)
    yield from rope_tensors(config)


def convert(folder, out, extra=None, tensors=None):
    """For tests that say more, or say it otherwise: `extra` is called with the writer and the configuration, `tensors` take
    the place of those of their name."""
    config = cache.config(folder)
    family = FAMILIES[config["model_type"]]
    writer = gguf.GGUFWriter(out, family.architecture)
    for write in (sizes, *family.keys, *([extra] if extra else [])):
        write(writer, config)
    for name, x in {**dict(tensors_of(folder, family, config)), **(tensors or {})}.items():
        writer.add_tensor(name, np.ascontiguousarray(x, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("out")
    args = parser.parse_args()
    convert(Path(args.folder), args.out)
