"""Kinds of position, each in a tiny random model that is run on long prompts: rotary types and their scalings, ALiBi, learned
positions, windows, and extreme shapes.

A kind has no folder among the fixtures: its weights are drawn from a fixed generator for the names and shapes that its
reference lists, so what is kept is the reference alone (long/KIND_N.h5, made by make.py).
"""
import json
import random
from pathlib import Path

import numpy as np

import cache

LONG = Path(__file__).resolve().parent / "long"
VOCAB = 97
QUICK, SLOW = 1500, 8000
BLOOM = (QUICK, 2048)                    # its configuration has no word for a longer context


ONE_MORE = ("nemotron", "gemma2", "gemma3_text")      # norms that scale by 1 + weight


def kind(family, changes=None, paths=None, lengths=(QUICK, SLOW), lens=False):
    return dict(family=family, changes=changes or {}, paths=paths or {}, lengths=lengths, lens=lens)


# sizes of a model by how its family calls them
LLAMA = dict(vocab_size=VOCAB, hidden_size=24, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2,
             num_key_value_heads=1, head_dim=16, max_position_embeddings=8192)
NEOX = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=8192)
GPT2 = dict(vocab_size=VOCAB, n_embd=24, n_inner=20, n_layer=2, n_head=2, n_positions=8192)
LENS = dict(n_layers=2, d_model=24, d_head=16, n_heads=2, d_mlp=20, d_vocab=VOCAB, n_ctx=8000, act_fn="gelu")


def llama(**rope):
    return dict(LLAMA, rope_parameters=dict(rope_theta=10000.0, **rope))


def yarn(**more):
    return llama(rope_type="yarn", factor=16.0, original_max_position_embeddings=512, **more)


def longrope(original, **more):
    factors = [1.0 + 0.1 * i for i in range(8)], [1.0 + 1.7 * i for i in range(8)]
    return dict(max_position_embeddings=16384, original_max_position_embeddings=original, rope_parameters=dict(
        rope_type="longrope", rope_theta=10000.0, short_factor=factors[0], long_factor=factors[1],
        original_max_position_embeddings=original, **more))


def dynamic(context):
    return dict(llama(rope_type="dynamic", factor=16.0), max_position_embeddings=context)


def falcon(heads, **more):
    return dict(vocab_size=VOCAB, hidden_size=16 * heads, ffn_hidden_size=20, num_hidden_layers=2, num_attention_heads=heads,
                max_position_embeddings=8192, **more)


def two_types(**more):
    return dict(LLAMA, layer_types=["sliding_attention", "full_attention"], **more)


FALCON_ALIBI = dict(ln2="post_attention_layernorm", qkv=("self_attention.query_key_value", "per_head"))

KINDS = {
    "default": kind("llama", dict(LLAMA)),
    "base_million": kind("llama", dict(LLAMA, rope_parameters=dict(rope_type="default", rope_theta=1e6))),
    "linear": kind("llama", llama(rope_type="linear", factor=3.0)),
    "dynamic_below": kind("llama", dynamic(8192)),
    "dynamic_at": kind("llama", dynamic(QUICK), lengths=(QUICK, QUICK + 1)),
    "dynamic_above": kind("llama", dynamic(512)),
    "llama3": kind("llama", llama(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                  original_max_position_embeddings=512)),
    "yarn": kind("llama", yarn()),
    "yarn_mscale": kind("llama", yarn(mscale=0.7, mscale_all_dim=1.1)),
    "yarn_attention_factor": kind("llama", yarn(attention_factor=1.3, beta_fast=20.0, beta_slow=2.0)),
    "yarn_untruncated": kind("llama", yarn(truncate=False)),
    "longrope_short": kind("phi3", dict(LLAMA, hidden_size=32, num_key_value_heads=2, pad_token_id=0, **longrope(8100))),
    "longrope_at": kind("phi3", dict(LLAMA, hidden_size=32, num_key_value_heads=2, pad_token_id=0, **longrope(QUICK)),
                        lengths=(QUICK, QUICK + 1)),
    "longrope_long": kind("phi3", dict(LLAMA, hidden_size=32, num_key_value_heads=2, pad_token_id=0, **longrope(512))),
    "longrope_mscale": kind("phimoe", dict(LLAMA, hidden_size=32, num_key_value_heads=2, num_local_experts=2,
                                           **longrope(512, short_mscale=1.1, long_mscale=1.3))),
    "longrope_mscale_at": kind("phimoe", dict(LLAMA, hidden_size=32, num_key_value_heads=2, num_local_experts=2,
                                              **longrope(QUICK, short_mscale=1.1, long_mscale=1.3)), lengths=(QUICK, QUICK + 1)),
    "pairs": kind("gptj", dict(vocab_size=VOCAB, n_embd=32, n_inner=20, n_layer=2, n_head=2, n_positions=8192, rotary_dim=8)),
    "pairs_whole": kind("cohere", dict(LLAMA, hidden_size=32)),
    "halves_quarter": kind("gpt_neox", dict(NEOX, rotary_pct=0.25)),
    "halves_odd": kind("gpt_neox", dict(NEOX, hidden_size=40, rotary_pct=0.25)),      # 5 of 20 dimensions: 3 frequencies
    "halves_partial": kind("phi", dict(LLAMA, hidden_size=32, num_key_value_heads=2, partial_rotary_factor=0.5)),
    "halves_stablelm": kind("stablelm", dict(LLAMA, hidden_size=32, partial_rotary_factor=0.25)),
    "halves_nemotron": kind("nemotron", dict(LLAMA, partial_rotary_factor=0.5)),
    "two_ropes": kind("gemma3_text", two_types(sliding_window=700, query_pre_attn_scalar=24, rope_parameters=dict(
        full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0),
        sliding_attention=dict(rope_type="default", rope_theta=1e4)))),
    "nope": kind("smollm3", dict(LLAMA, hidden_size=32, pad_token_id=0, no_rope_layers=[1, 0])),
    "sinks": kind("gpt_oss", two_types(num_local_experts=2, num_experts_per_tok=1, sliding_window=128, rope_parameters=dict(
        rope_type="yarn", rope_theta=150000.0, factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
        original_max_position_embeddings=512))),
    "alibi": kind("bloom", dict(vocab_size=VOCAB, hidden_size=32, n_layer=2, n_head=2), lengths=BLOOM),
    "alibi_three_heads": kind("bloom", dict(vocab_size=VOCAB, hidden_size=48, n_layer=2, n_head=3), lengths=BLOOM),
    "alibi_from_end": kind("mpt", dict(vocab_size=VOCAB, d_model=32, n_layers=2, n_heads=2, max_seq_len=8192)),
    "alibi_from_end_three": kind("mpt", dict(vocab_size=VOCAB, d_model=48, n_layers=2, n_heads=3,
                                             max_seq_len=8192)),
    "alibi_rounded": kind("falcon", falcon(2, alibi=True, multi_query=False, parallel_attn=False, bias=True),
                          dict(FALCON_ALIBI, extra=dict(n_kv=2))),
    "alibi_rounded_three": kind("falcon", falcon(3, alibi=True)),
    "falcon": kind("falcon", falcon(2, alibi=False)),
    "learned": kind("gpt2", dict(GPT2)),
    "learned_offset": kind("opt", dict(vocab_size=VOCAB, hidden_size=24, ffn_dim=20, num_hidden_layers=2, num_attention_heads=2,
                                       max_position_embeddings=8192, word_embed_proj_dim=24)),
    "learned_local": kind("gpt_neo", dict(vocab_size=VOCAB, hidden_size=24, intermediate_size=20, num_layers=2, num_heads=2,
                                          attention_types=[[["global", "local"], 1]], window_size=256,
                                          max_position_embeddings=8192)),
    "learned_multi_query": kind("gpt_bigcode", dict(GPT2)),
    "lens_learned": kind("lens", dict(LENS), lens=True),
    "lens_shortformer": kind("lens", dict(LENS, positional_embedding_type="shortformer"), lens=True),
    "lens_rotary": kind("lens", dict(LENS, positional_embedding_type="rotary", rotary_dim=8, normalization_type="RMS"), lens=True),
    "lens_pairs": kind("lens", dict(LENS, positional_embedding_type="rotary", rotary_adjacent_pairs=True, rotary_base=500,
                                    rotary_dim=16), lens=True),
    "lens_local": kind("lens", dict(LENS, use_local_attn=True, window_size=700, attn_types=["global", "local"]), lens=True),
    "window": kind("mistral", dict(LLAMA, sliding_window=700)),
    "window_4096": kind("mistral", dict(LLAMA, sliding_window=4096), lengths=(SLOW,)),
    "window_exact": kind("mistral", dict(LLAMA, sliding_window=QUICK - 1), lengths=(QUICK,)),   # one key beyond it
    "window_qwen2": kind("qwen2", dict(LLAMA, hidden_size=32, use_sliding_window=True, sliding_window=700, max_window_layers=1)),
    "window_qwen3": kind("qwen3", two_types(use_sliding_window=True, sliding_window=700)),
    "window_gemma2": kind("gemma2", two_types(sliding_window=700, query_pre_attn_scalar=24)),
    "window_phi3": kind("phi3", dict(LLAMA, hidden_size=32, num_key_value_heads=2, pad_token_id=0, sliding_window=700)),
    "window_starcoder2": kind("starcoder2", dict(LLAMA, hidden_size=32, sliding_window=700)),
    "window_mixtral": kind("mixtral", dict(LLAMA, num_local_experts=2, num_experts_per_tok=1, sliding_window=700)),
}


# shapes at their ends: short prompts
CONTEXT = 64
SHORT = (1, 2, 37)
EXTREMES = {
    "one_of_each": kind("llama", dict(LLAMA, num_hidden_layers=1, num_attention_heads=1), lengths=SHORT),
    "two_dims": kind("llama", dict(LLAMA, head_dim=2), lengths=SHORT),
    "one_dim": kind("gpt2", dict(GPT2, n_embd=3, n_head=3), lengths=SHORT),
    "odd_dims": kind("gpt2", dict(GPT2, n_embd=15, n_head=3), lengths=SHORT),
    "one_dim_alibi": kind("bloom", dict(vocab_size=VOCAB, hidden_size=5, n_layer=1, n_head=5), lengths=SHORT),
    "many_heads": kind("llama", dict(LLAMA, hidden_size=128, num_attention_heads=128, head_dim=8), lengths=(37,)),
    "many_kv_heads": kind("llama", dict(LLAMA, hidden_size=128, num_attention_heads=128, num_key_value_heads=64, head_dim=4), lengths=(37,)),
    "one_expert": kind("mixtral", dict(LLAMA, num_local_experts=1, num_experts_per_tok=1), lengths=SHORT),
    "vocabulary_gemma": kind("gemma3_text", dict(LLAMA, vocab_size=262208, hidden_size=8, head_dim=4, sliding_window=9, query_pre_attn_scalar=4),
                             lengths=(1, 37)),
    "vocabulary_untied": kind("llama", dict(LLAMA, vocab_size=300007, hidden_size=8, head_dim=4), lengths=(37,)),
    "context_learned": kind("gpt2", dict(GPT2, n_positions=CONTEXT), lengths=(CONTEXT,)),
    "context_offset": kind("opt", dict(vocab_size=VOCAB, hidden_size=24, ffn_dim=20, num_hidden_layers=2, num_attention_heads=2,
                                       max_position_embeddings=CONTEXT, word_embed_proj_dim=24), lengths=(CONTEXT,)),
    "context_rotary": kind("llama", dict(LLAMA, max_position_embeddings=CONTEXT), lengths=(CONTEXT,)),
    "context_lens": kind("lens", dict(LENS, n_ctx=CONTEXT), lens=True, lengths=(CONTEXT,)),
}


def tokens(n, vocabulary=VOCAB):
    """ids from all of the vocabulary, the last and the first among them"""
    draw = random.Random(4000 + n)
    drawn = [draw.randrange(vocabulary) for _ in range(n)]
    return drawn if vocabulary == VOCAB else [vocabulary - 1, 0, *drawn[2:]][:n]


def rows(n):
    """queries that a reference has: the first, around windows and tiles, and the last"""
    if n <= CONTEXT:
        return sorted({0, n // 2, n - 1})
    return [0, 700, 1025, n - 1] if n <= 2 * QUICK else [0, 700, 4096, n - 1]


def every(n):
    """of patterns and scores every so many keys, of logits ids"""
    return n // 30 | 1


def vocabulary_of(row):
    return row["changes"].get("vocab_size", VOCAB)


def weights(shapes, family):
    """name -> float32: numbers so that norms scale by about 1, small ones for biases, larger ones for matrices"""
    drawn = {}
    for i, (name, shape) in enumerate(sorted(shapes.items())):
        x = np.random.RandomState(i).standard_normal(shape)
        if len(shape) == 1 or "bias" in name or ".b_" in name:
            norm = len(shape) == 1 and name.endswith(("weight", ".w")) and not any(b in name for b in ("proj", "sinks"))
            x = (1 if norm and family not in ONE_MORE else 0) + 0.3 * x
        else:
            x = x * (0.7 if max(shape) == VOCAB or max(shape) > 1000 else 1.2 / np.sqrt(min(shape[-2:])))
        drawn[name] = x.astype(np.float32)
    return drawn


def write(folder, config, shapes, family):
    """the model of a kind as a folder"""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    cache.write_weights(folder, weights(shapes, family))
    return folder
