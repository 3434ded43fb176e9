"""What is added to, taken from or changed in the config.json of a tiny model of each family, to hold how weir reads it against
how transformers does: make_config_cases.py runs transformers, test_config_keys.py weir.

Every key of any family's configuration class is tried in every family; LATER families have their own keys and UNDECLARED ones, and
those of text models inside of others are tried only there. One that the family reads must mean the same, and one that it does not
read must mean nothing.
"""
import dataclasses
import itertools
import json

from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import positions
import wrappers
from cache import FIXTURES
from configs import CONFIGS, LATER

DELETE = "<deleted>"

# a tiny model of each model type, and a second one where options change what other keys mean
FOLDERS = [name for name in dict.fromkeys(["gpt2", "llama", "mistral", *(row["family"] for row in CONFIGS.values())])
           if name not in ("llama3_rope", "gpt_neox_sequential")]
SECOND = ["phi3_longrope", "gpt_oss_plain", "falcon_sequential", "stablelm_parallel", "qwen2_sliding", "qwen3_types"]

# text models that only others have (wrappers.py): what changes is the text configuration
INSIDE = dict(qwen2_vl_window="qwen2_vl_text", qwen2_5_vl_untied="qwen2_5_vl_text", qwen3_vl_biased="qwen3_vl_text",
              mllama_first_layer="mllama_text_model")

# names that no configuration class declares: old ones that it takes all the same, those that modeling code looks for, those
# that other programs write
UNDECLARED = """n_embed rope_theta rope_scaling rotary_pct rotary_emb_base rotary_base partial_rotary_factor rope_local_base_freq
    sliding_window_pattern head_dim d_head n_ctx d_vocab d_mlp n_heads n_key_value_heads num_kv_heads seq_length eps ln_eps act_fn
    attn_scores_soft_cap output_logits_soft_cap parallel_attn_mlp attn_only n_routed_experts is_causal attention_chunk_size
    use_attn_scale attn_types use_local_attn shared_expert_intermediate_size n_shared_experts first_k_dense_replace
    routed_scaling_factor embedding_size qkv_bias attention_bias mlp_bias bias use_bias qk_norm use_qk_norm rotary_dim kv_channels
    window_size max_window_layers layer_types no_rope_layers gated_mlp activation hidden_act hidden_activation activation_function
    query_pre_attn_scalar original_max_position_embeddings""".split()

# of generation, of training, of classifiers, of how things are kept: not what the model computes
ELSEWHERE = """transformers_version architectures model_type dtype torch_dtype id2label label2id problem_type output_hidden_states
    return_dict bos_token_id eos_token_id pad_token_id summary_type summary_use_proj summary_activation summary_proj_to_labels
    summary_first_dropout init_device attn_config attn_type attn_impl num_labels use_cache chunk_size_feed_forward
    output_attentions name_or_path initializer_range init_std""".split()

LINEAR = dict(rope_type="linear", factor=3.0)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
BOTH = [True, False]

# values that would matter, of keys whose kind does not give one
VALUES = {
    **dict.fromkeys("num_hidden_layers n_layer n_layers num_layers".split(), [9]),
    **dict.fromkeys("num_attention_heads n_head n_heads num_heads".split(), [3, 12]),
    **dict.fromkeys("num_key_value_heads num_kv_heads n_key_value_heads".split(), [1, 3]),
    **dict.fromkeys("head_dim d_head kv_channels".split(), [4, 16, 8]),
    **dict.fromkeys("hidden_size n_embd d_model n_embed embedding_size word_embed_proj_dim".split(), [24, 48]),
    **dict.fromkeys("intermediate_size n_inner ffn_dim ffn_hidden_size d_mlp moe_intermediate_size "
                    "shared_expert_intermediate_size".split(), [24]),
    **dict.fromkeys("vocab_size d_vocab".split(), [200]),
    **dict.fromkeys("max_position_embeddings n_positions n_ctx max_seq_len seq_length".split(), [64]),
    **dict.fromkeys("layer_norm_epsilon layer_norm_eps rms_norm_eps norm_epsilon norm_eps eps ln_eps".split(), [0.5]),
    **dict.fromkeys("activation_function hidden_act hidden_activation activation act_fn".split(),
                    ["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh", "quick_gelu"]),
    **dict.fromkeys("num_experts num_local_experts n_routed_experts".split(), [0, 1, 3]),
    **dict.fromkeys("rope_theta rotary_emb_base rotary_base rope_local_base_freq".split(), [300.0, 70]),
    **dict.fromkeys("partial_rotary_factor rotary_pct".split(), [0.5]),
    **dict.fromkeys("sliding_window window_size attention_chunk_size".split(), [0, -1, 1, 3]),
    **dict.fromkeys("scale_attn_weights alibi is_causal no_bias learned_pos_emb".split(), BOTH),
    "num_experts_per_tok": [1, 3],
    "n_shared_experts": [1],
    "first_k_dense_replace": [1],
    "rotary_dim": [4, 6],
    "use_bidirectional_attention": BOTH,
    "expansion_ratio": [2],
    "num_ln_in_parallel_attn": [1, 2],
    "max_window_layers": [0, 1],
    "decoder_sparse_step": [2],
    "sliding_window_pattern": [2],
    "no_rope_layer_interval": [2],
    "mlp_only_layers": [[0], []],
    "attn_types": [["local", "global"]],
    "embedding_fraction": [0.5],
    "norm_type": ["rmsnorm", "layernorm"],
    "logit_scale": [0.125, "inv_sqrt_d_model"],
    "pretraining_tp": [2],
    "alibi_bias_max": [4],
    "attention_types": [[[["global"], 2], [["local"], 1]], [[["local"], 4]]],
    "query_pre_attn_scalar": [4],
    "rope_parameters": [dict(rope_type="default", rope_theta=300.0), dict(rope_theta=300.0, rope_type="linear", factor=3.0),
                        dict(type="linear", factor=3.0), dict(YARN, rope_theta=300.0), dict(LLAMA3, rope_theta=300.0),
                        dict(rope_type="default", rope_theta=300.0, partial_rotary_factor=0.5), {}],
    "rope_scaling": [LINEAR, dict(type="linear", factor=3.0), dict(LINEAR, rope_theta=300.0), YARN, LLAMA3, {},
                     dict(type="linear", rope_type="default", factor=3.0), dict(rope_type="dynamic", factor=2.0)],
    "original_max_position_embeddings": [16],
}
LISTS = {   # as long as the model has layers
    "layer_types": lambda n: [["sliding_attention"] * n, ["full_attention"] * n, ["full_attention", "sliding_attention"] * n],
    "no_rope_layers": lambda n: [[0] * n, [1] * n],
}
NESTED = ["clip_qkv", "softmax_scale", "prefix_lm", "qk_ln", "attn_uses_sequence_id", "alibi", "alibi_bias_max"]   # in attn_config

OLD_ROPE = {"rope_parameters": DELETE}
SYNONYMS = [
    "num_hidden_layers n_layer n_layers num_layers", "num_attention_heads n_head n_heads num_heads",
    "num_key_value_heads num_kv_heads n_key_value_heads", "hidden_size n_embd d_model n_embed",
    "intermediate_size n_inner ffn_dim ffn_hidden_size", "max_position_embeddings n_positions n_ctx max_seq_len",
    "layer_norm_epsilon layer_norm_eps rms_norm_eps norm_epsilon norm_eps", "num_experts num_local_experts n_routed_experts",
    "activation_function hidden_act hidden_activation activation",
]

# what more than one key says
SEVERAL = {
    "theta at the top": OLD_ROPE | dict(rope_theta=300.0),
    "theta at the top and beside it": OLD_ROPE | dict(rope_theta=300.0, rotary_emb_base=70.0, rope_local_base_freq=20.0),
    "old base": OLD_ROPE | dict(rotary_emb_base=70.0),
    "old local base": OLD_ROPE | dict(rope_local_base_freq=70.0),
    "factor at the top": OLD_ROPE | dict(partial_rotary_factor=0.5),
    "old factor": OLD_ROPE | dict(rotary_pct=0.5),
    "factors that disagree": OLD_ROPE | dict(rotary_pct=0.5, partial_rotary_factor=0.25),
    "factors that disagree otherwise": OLD_ROPE | dict(rotary_pct=0.25, partial_rotary_factor=1.0),
    "factor and theta inside and at the top": dict(rope_parameters=dict(
        rope_type="default", rope_theta=300.0, partial_rotary_factor=0.5), rope_theta=70.0, partial_rotary_factor=0.25),
    "scaling and theta": OLD_ROPE | dict(rope_theta=300.0, rope_scaling=LINEAR),
    "scaling with a theta of its own": OLD_ROPE | dict(rope_theta=70.0, rope_scaling=dict(LINEAR, rope_theta=300.0)),
    "scaling of the old kind": OLD_ROPE | dict(rope_theta=300.0, rope_scaling=dict(type="linear", factor=3.0)),
    "scaling of two kinds": OLD_ROPE | dict(rope_scaling=dict(type="default", rope_type="linear", factor=3.0)),
    "scaling without a kind": OLD_ROPE | dict(rope_scaling=dict(factor=3.0)),
    "scaling without a factor": OLD_ROPE | dict(rope_scaling=dict(type="linear")),
    "scaling null": OLD_ROPE | dict(rope_scaling=None),
    "scaling that is empty": OLD_ROPE | dict(rope_scaling={}, rope_theta=300.0),
    "scaling before parameters": dict(rope_scaling=LINEAR, rope_parameters=dict(rope_type="default", rope_theta=300.0)),
    "empty scaling before parameters": dict(rope_scaling={}, rope_parameters=dict(rope_type="default", rope_theta=300.0)),
    "parameters null": dict(rope_parameters=None, rope_theta=300.0),
    "yarn": OLD_ROPE | dict(rope_scaling=YARN),
    "yarn without the old length": OLD_ROPE | dict(rope_scaling=dict(rope_type="yarn", factor=4.0)),
    "yarn and the old length at the top": OLD_ROPE | dict(rope_scaling=YARN, original_max_position_embeddings=16),
    "yarn of more": OLD_ROPE | dict(rope_scaling=dict(YARN, beta_fast=20, beta_slow=2, attention_factor=1.25)),
    "yarn of mscale": OLD_ROPE | dict(rope_scaling=dict(YARN, mscale=0.7, mscale_all_dim=1.1, truncate=False)),
    "yarn null factor": OLD_ROPE | dict(rope_scaling=dict(YARN, factor=None)),
    "llama3": OLD_ROPE | dict(rope_scaling=LLAMA3),
    "llama3 of the old kind": OLD_ROPE | dict(rope_scaling=dict({k: v for k, v in LLAMA3.items() if k != "rope_type"}, type="llama3")),
    "dynamic": OLD_ROPE | dict(rope_scaling=dict(rope_type="dynamic", factor=2.0)),
    "kinds of kinds of layers": dict(rope_parameters=dict(full_attention=dict(rope_type="linear", rope_theta=300.0, factor=3.0),
                                                          sliding_attention=dict(rope_type="default", rope_theta=70.0))),
    "kinds of full layers only": dict(rope_parameters=dict(full_attention=dict(rope_type="default", rope_theta=300.0))),
    "kinds without theta": dict(rope_parameters=dict(full_attention=dict(rope_type="default"),
                                                     sliding_attention=dict(rope_type="default")), rope_theta=300.0,
                                rope_local_base_freq=70.0),
    "mrope": OLD_ROPE | dict(rope_scaling=dict(type="mrope", mrope_section=[1, 1, 2])),
    "window that is used": dict(use_sliding_window=True, sliding_window=3),
    "window that is used from layer 1": dict(use_sliding_window=True, sliding_window=3, max_window_layers=1, layer_types=DELETE),
    "window that is not used": dict(use_sliding_window=False, sliding_window=3, layer_types=DELETE),
    "window of 0 that is not used": dict(use_sliding_window=False, sliding_window=0),
    "window of all": dict(sliding_window=3, layer_types=DELETE),
    "window null": dict(sliding_window=None, layer_types=DELETE),
    "pattern of windows": dict(sliding_window=3, sliding_window_pattern=2, layer_types=DELETE),
    "old pattern of windows": dict(sliding_window=3, _sliding_window_pattern=2, layer_types=DELETE),
    "pattern beside kinds": dict(sliding_window=3, sliding_window_pattern=3),
    "activations that disagree": dict(hidden_act="relu", hidden_activation="silu"),
    "activations that disagree otherwise": dict(hidden_act="silu", hidden_activation="relu"),
    "old gelu alone": dict(hidden_act="gelu", hidden_activation=DELETE),
    "old gelu beside nothing": dict(hidden_act="gelu", hidden_activation=None),
    "multi query": dict(multi_query=True, num_key_value_heads=DELETE, num_kv_heads=DELETE),
    "no multi query": dict(multi_query=False, num_kv_heads=2),
    "multi query of the new kind": dict(multi_query=True, new_decoder_architecture=True, num_kv_heads=2),
    "alibi of a branch": dict(alibi=True, parallel_attn=False),
    "experts counted twice": dict(num_experts=4, num_local_experts=6),
    "experts that are none": dict(num_experts=0, num_experts_per_tok=0),
    "experts of one": dict(num_local_experts=1, num_experts_per_tok=1),
    "experts and their width": dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24),
    "quantization that is none": dict(quantization_config=None),
    "quantization that is empty": dict(quantization_config={}),
    "old names of sizes": dict(n_layer=9, n_head=3, n_embd=24, n_positions=64, n_inner=24),
    "infinity elsewhere": dict(time_step_limit=[0.0, float("inf")], another=float("nan"), third=-float("inf")),
    "caps": dict(attn_logit_softcapping=2.0, final_logit_softcapping=3.0),
    "caps null": dict(attn_logit_softcapping=None, final_logit_softcapping=None),
    "multipliers": dict(embedding_multiplier=2.0, residual_multiplier=0.5, attention_multiplier=0.3, logits_scaling=4.0),
    "a layer of its own": dict(per_layer_config={"0": {"rms_norm_eps": 0.5, "layer_norm_epsilon": 0.5, "layer_norm_eps": 0.5, "norm_eps": 0.5}}),
    "layers of one kind listed short": dict(layer_types=["full_attention"]),
    "kinds of layers of old names": dict(layer_types=["attention"] * 3),
}


def declared(model_type):
    """the keys that the configuration class declares, and other names that it takes for them -> default"""
    cls = CONFIG_MAPPING[model_type]
    return {f.name: f.default for f in dataclasses.fields(cls)} | dict.fromkeys(cls.attribute_map)


def every_key(tried=None):
    """name -> a default of it, over the families of weir that came first and the one that it is tried in, by default all; LATER ones
    have only their own and UNDECLARED, among which are other families' keys that mean much there"""
    keys = dict.fromkeys(UNDECLARED)
    for folder in FOLDERS:
        if folder not in LATER and tried not in LATER:
            keys |= declared(base_config(folder)["model_type"])
    for folder in [*LATER, *INSIDE] if tried is None else [tried]:
        keys = declared(base_config(folder)["model_type"]) | keys
    return {key: default for key, default in keys.items() if key not in ELSEWHERE and not key.startswith("_")}


def values(key, default, n_layers):
    if key in LISTS:
        return [x[:n_layers] for x in LISTS[key](n_layers)]
    if key in VALUES:
        return VALUES[key]
    if isinstance(default, bool) or default is None:
        return BOTH
    return [0.375 if isinstance(default, float) else 3]


def base_config(folder):
    if folder in INSIDE:
        return dict(wrappers.ROWS[folder]["config"]["text_config"], model_type=INSIDE[folder])
    return json.loads((FIXTURES / folder / "config.json").read_text())


def whole_config(folder, config):
    """what the config.json says, where `config` is the part that changes"""
    return dict(wrappers.ROWS[folder]["config"], text_config=config) if folder in INSIDE else config


def place_weights(folder, scratch):
    """the folder's weights, and a config.json to be changed"""
    if folder in INSIDE:
        positions.write(scratch, *wrappers.kept(folder, "config", "shapes", "family"))
    else:
        for file in (FIXTURES / folder).glob("model*"):
            (scratch / file.name).symlink_to(file)


def changed(config, changes):
    new = {**config, **changes}
    return {key: value for key, value in new.items() if value is not DELETE and value != DELETE}


def synonyms(config):
    """one thing under another of its names, in place of the one that stands there and beside it"""
    for names in map(str.split, SYNONYMS):
        for own, other in itertools.permutations(names, 2):
            if own in config and other not in config and config[own] is not None:
                yield f"{own} as {other}", {own: DELETE, other: config[own]}


def cases(folder):
    """name -> what changes in the folder's config.json, in an order that does not change"""
    config = base_config(folder)
    n_layers = next(config[key] for key in ("num_hidden_layers", "n_layer", "n_layers", "num_layers") if key in config)
    found = {"as it is": {}}
    for key, default in sorted(every_key(folder).items()):
        for value in values(key, default, n_layers):
            found[f"{key} = {json.dumps(value)}"] = {key: value}
    for key in NESTED:
        for value in values(key, None, n_layers) if key not in ("clip_qkv", "softmax_scale") else [0.375]:
            found[f"attn_config.{key} = {json.dumps(value)}"] = {"attn_config": {**(config.get("attn_config") or {}), key: value}}
    for key in sorted(set(config) - set(ELSEWHERE)):
        found[f"without {key}"] = {key: DELETE}
        found[f"{key} = null"] = {key: None}
    found |= dict(synonyms(config)) | SEVERAL
    return found
