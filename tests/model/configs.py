"""The configurations that weir is held against PyTorch in: of every family its common form, then its options varied.

A row: the family of ../oracle/families.py, changes of its configuration, and `paths`, fields of its Family that the changes
move. The first row of a family is run by every `script/test`, the others by `--full`. make.py makes their fixtures.
"""

# what is stored of a reference: as prompts.SAMPLED, fewer
FEW_ROWS = (0, 8, 9, 22, 33, 57, 89)
FIRST_LENGTHS, OTHER_LENGTHS = (1, 23, 90), (90,)


def row(family, changes=None, paths=None, lengths=OTHER_LENGTHS, mxfp4=False):
    return dict(family=family, changes=changes or {}, paths=paths or {}, lengths=lengths, mxfp4=mxfp4)


def yarn(**more):
    return dict(rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
                                     original_max_position_embeddings=32, **more))


SMALL = dict(num_hidden_layers=2)
SEQUENTIAL = dict(ln2="post_attention_layernorm")
LONGROPE = dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.3, 1.7],
                long_factor=[1.2, 2.0, 3.5, 6.0], original_max_position_embeddings=32)

CONFIGS = {name: row(name, lengths=FIRST_LENGTHS) for name in (
    "gpt_neo", "gptj", "gpt_neox", "gpt_neox_sequential", "opt", "bloom", "qwen2", "qwen3", "gemma", "gemma2",
    "gemma3_text", "phi", "phi3", "stablelm", "olmo", "olmo2", "starcoder2", "granite", "falcon", "falcon_new", "mpt",
    "mixtral", "qwen3_moe", "olmoe", "smollm3", "cohere", "gpt_bigcode", "nemotron")}

CONFIGS |= {
    "gpt2_scaled": row("gpt2", dict(n_layer=2, scale_attn_by_inverse_layer_idx=True, n_inner=91, activation_function="relu",
                                    tie_word_embeddings=False)),
    "gpt2_unscaled": row("gpt2", dict(n_layer=1, scale_attn_weights=False, activation_function="quick_gelu",
                                      vocab_size=223)),
    "gpt_neo_local": row("gpt_neo", dict(num_layers=3, attention_types=[[["global"], 1], [["local"], 2]], window_size=5,
                                         intermediate_size=77, activation_function="gelu")),
    "gpt_neo_one": row("gpt_neo", dict(num_layers=1, attention_types=[[["global"], 1]], tie_word_embeddings=False)),
    "gptj_wide": row("gptj", dict(n_layer=2, rotary_dim=12, n_inner=101, activation_function="gelu")),
    "gptj_two": row("gptj", dict(n_layer=2, rotary_dim=4, n_head=6, activation_function="silu", vocab_size=223)),
    "gpt_neox_half": row("gpt_neox", dict(num_hidden_layers=2, rotary_pct=0.5, attention_bias=False, hidden_act="gelu_new",
                                          tie_word_embeddings=True)),
    "opt_projected": row("opt", dict(num_hidden_layers=2, word_embed_proj_dim=32, ffn_dim=77)),
    "opt_plain": row("opt", dict(num_hidden_layers=2, enable_bias=False, activation_function="gelu")),
    "bloom_six_heads": row("bloom", dict(n_layer=2, n_head=6)),
    "bloom_untied": row("bloom", dict(n_layer=1, n_head=3, tie_word_embeddings=False)),
    "llama_linear": row("llama", dict(SMALL, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=3.0),
                                      attention_bias=True, mlp_bias=True)),
    "llama_dynamic": row("llama", dict(SMALL, max_position_embeddings=48, num_key_value_heads=1, rope_parameters=dict(
                                       rope_type="dynamic", rope_theta=10000.0, factor=2.0))),
    "llama_yarn": row("llama", dict(SMALL, head_dim=20, num_key_value_heads=3, **yarn())),
    "llama_yarn_scaled": row("llama", dict(SMALL, **yarn(attention_factor=1.3, beta_fast=20.0, beta_slow=2.0, truncate=False))),
    "llama_yarn_mscale": row("llama", dict(SMALL, tie_word_embeddings=True, **yarn(mscale=0.7, mscale_all_dim=1.1))),
    "llama_one_layer": row("llama", dict(num_hidden_layers=1, intermediate_size=89, vocab_size=223, num_key_value_heads=6,
                                         hidden_act="relu")),
    "mistral_wide": row("mistral", dict(SMALL, head_dim=16, num_key_value_heads=1, sliding_window=None)),
    "mistral_narrow": row("mistral", dict(SMALL, sliding_window=1, hidden_act="gelu")),
    "qwen2_sliding": row("qwen2", dict(SMALL, num_hidden_layers=3, use_sliding_window=True, sliding_window=9,
                                       max_window_layers=1)),
    "qwen2_tied": row("qwen2", dict(SMALL, tie_word_embeddings=True, num_key_value_heads=1)),
    "qwen3_types": row("qwen3", dict(SMALL, use_sliding_window=True, sliding_window=7, attention_bias=True,
                                     layer_types=["sliding_attention", "full_attention"])),
    "qwen3_multi_query": row("qwen3", dict(SMALL, num_key_value_heads=1, head_dim=24, tie_word_embeddings=True)),
    "gemma_multi_query": row("gemma", dict(SMALL, num_key_value_heads=1, hidden_act="gelu_pytorch_tanh")),
    "gemma_untied": row("gemma", dict(SMALL, tie_word_embeddings=False, attention_bias=True)),
    "gemma2_uncapped": row("gemma2", dict(SMALL, attn_logit_softcapping=None, final_logit_softcapping=None)),
    "gemma2_types": row("gemma2", dict(SMALL, num_hidden_layers=3, attn_logit_softcapping=5.0, final_logit_softcapping=3.0,
                                       layer_types=["full_attention", "sliding_attention", "full_attention"])),
    "gemma3_capped": row("gemma3_text", dict(SMALL, attn_logit_softcapping=20.0, final_logit_softcapping=10.0,
                                             layer_types=["full_attention", "sliding_attention"])),
    "gemma3_scaled": row("gemma3_text", dict(SMALL, num_key_value_heads=1, layer_types=["sliding_attention", "full_attention"],
                                             rope_parameters=dict(
                                                 full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0),
                                                 sliding_attention=dict(rope_type="default", rope_theta=1e4)))),
    "phi_normed": row("phi", dict(SMALL, qk_layernorm=True), dict(extra=dict(qk_norm=True, qk_names="{}_layernorm"))),
    "phi_shared": row("phi", dict(SMALL, num_key_value_heads=2, partial_rotary_factor=0.25, hidden_size=96, hidden_act="relu")),
    "phi3_longrope": row("phi3", dict(SMALL, max_position_embeddings=128, original_max_position_embeddings=32,
                                      rope_parameters=LONGROPE)),
    "phi3_sliding": row("phi3", dict(SMALL, sliding_window=9, partial_rotary_factor=0.5, tie_word_embeddings=True)),
    "stablelm_parallel": row("stablelm", dict(SMALL, use_parallel_residual=True, use_qkv_bias=True, num_key_value_heads=6,
                                              partial_rotary_factor=0.5), dict(ln2=None)),
    "stablelm_normed": row("stablelm", dict(SMALL, qk_layernorm=True, partial_rotary_factor=1.0),
                           dict(extra=dict(qk_norm=True, qk_names="{}_layernorm"))),
    "olmo_clipped": row("olmo", dict(SMALL, clip_qkv=1.5)),
    "olmo_tied": row("olmo", dict(SMALL, tie_word_embeddings=True, num_key_value_heads=6, rope_parameters=dict(
                                  rope_type="default", rope_theta=500.0))),
    "olmo2_multi_head": row("olmo2", dict(SMALL, num_key_value_heads=6, attention_bias=True)),
    "olmo2_multi_query": row("olmo2", dict(SMALL, num_key_value_heads=1, tie_word_embeddings=True)),
    "starcoder2_sliding": row("starcoder2", dict(SMALL, sliding_window=9, use_bias=False)),
    "starcoder2_untied": row("starcoder2", dict(SMALL, tie_word_embeddings=False, num_key_value_heads=1)),
    "granite_biased": row("granite", dict(SMALL, attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "granite_plain": row("granite", dict(SMALL, residual_multiplier=1.0, num_key_value_heads=6, logits_scaling=0.5)),
    "falcon_sequential": row("falcon", dict(SMALL, multi_query=False, parallel_attn=False, bias=True),
                             dict(SEQUENTIAL, qkv=("self_attention.query_key_value", "per_head"), extra=dict(n_kv=4))),
    "falcon_one_norm": row("falcon_new", dict(SMALL, num_ln_in_parallel_attn=1, ffn_hidden_size=101),
                           dict(ln1="input_layernorm")),
    "mpt_clipped": row("mpt", dict(n_layers=2, n_heads=6, attn_config=dict(clip_qkv=1.2, softmax_scale=0.2))),
    "mpt_three_heads": row("mpt", dict(n_layers=2, n_heads=3)),
    "mixtral_three": row("mixtral", dict(SMALL, num_experts_per_tok=3, num_local_experts=5, sliding_window=9)),
    "mixtral_one": row("mixtral", dict(SMALL, num_experts_per_tok=1, head_dim=16)),
    "qwen3_moe_mixed": row("qwen3_moe", dict(SMALL, num_hidden_layers=3, mlp_only_layers=[1], norm_topk_prob=True)),
    "qwen3_moe_stepped": row("qwen3_moe", dict(SMALL, decoder_sparse_step=2, num_experts_per_tok=3)),
    "olmoe_summed": row("olmoe", dict(SMALL, norm_topk_prob=True)),
    "olmoe_all": row("olmoe", dict(SMALL, num_experts=4, num_experts_per_tok=4, num_key_value_heads=6)),
    "smollm3_listed": row("smollm3", dict(num_hidden_layers=3, no_rope_layers=[1, 0, 1], attention_bias=True)),
    "smollm3_every_second": row("smollm3", dict(num_hidden_layers=2, no_rope_layer_interval=2, tie_word_embeddings=False)),
    "cohere_normed": row("cohere", dict(SMALL, use_qk_norm=True), dict(extra=dict(qk_norm=True))),
    "cohere_biased": row("cohere", dict(SMALL, attention_bias=True, num_key_value_heads=6, logit_scale=2.0)),
    "gpt_bigcode_multi_head": row("gpt_bigcode", dict(n_layer=2, multi_query=False),
                                  dict(qkv=("attn.c_attn", "per_head"), extra=dict(n_kv=4))),
    "gpt_bigcode_untied": row("gpt_bigcode", dict(n_layer=2, tie_word_embeddings=False, n_inner=91,
                                                  activation_function="gelu")),
    "nemotron_wide": row("nemotron", dict(SMALL, head_dim=16, partial_rotary_factor=1.0, attention_bias=True, mlp_bias=True)),
    "nemotron_tied": row("nemotron", dict(SMALL, tie_word_embeddings=True, num_key_value_heads=1, hidden_act="gelu")),
}

# rows that came later stand behind the others: a fixture's seed is its place
CONFIGS |= {name: row(name, lengths=FIRST_LENGTHS) for name in ("phimoe", "gpt_oss")}

CONFIGS |= {
    "phimoe_longrope": row("phimoe", dict(SMALL, router_jitter_noise=0.3, max_position_embeddings=128, num_local_experts=4,
                                          rope_parameters=dict(LONGROPE, rope_theta=1e6, short_mscale=1.1, long_mscale=1.3)),
                           lengths=(23, 90)),
    "phimoe_plain": row("phimoe", dict(SMALL, num_key_value_heads=1, attention_bias=False, lm_head_bias=False,
                                       tie_word_embeddings=True, intermediate_size=37, num_local_experts=2,
                                       router_jitter_noise=0.1, sliding_window=9)),
    "gpt_oss_clamped": row("gpt_oss", dict(SMALL, num_hidden_layers=3, swiglu_limit=0.7, num_key_value_heads=6, num_local_experts=5,
                                           num_experts_per_tok=5, intermediate_size=43, tie_word_embeddings=True,
                                           layer_types=["full_attention", "sliding_attention", "sliding_attention"])),
    "gpt_oss_plain": row("gpt_oss", dict(SMALL, head_dim=20, attention_bias=False, num_key_value_heads=1, num_experts_per_tok=1,
                                         sliding_window=5, rope_parameters=dict(rope_type="default", rope_theta=5000.0))),
    "gpt_oss_mxfp4": row("gpt_oss", dict(SMALL, hidden_size=64, intermediate_size=96, num_attention_heads=4, num_local_experts=4,
                                         num_experts_per_tok=2), lengths=(23, 90), mxfp4=True),
    "falcon_alibi": row("falcon", dict(SMALL, alibi=True, multi_query=False, parallel_attn=False, bias=True), dict(
                        SEQUENTIAL, qkv=("self_attention.query_key_value", "per_head"), extra=dict(n_kv=4))),
    "falcon_alibi_shared": row("falcon", dict(SMALL, alibi=True, num_attention_heads=6, tie_word_embeddings=False)),
    "falcon_alibi_grouped": row("falcon_new", dict(SMALL, alibi=True)),
    "gpt_neo_wide": row("gpt_neo", dict(num_layers=2, attention_types=[[["local", "global"], 1]], window_size=11,
                                        hidden_size=72, num_heads=6, activation_function="gelu_new")),
    "cohere_wide": row("cohere", dict(SMALL, hidden_size=96, num_key_value_heads=2, intermediate_size=101, logit_scale=0.5)),
}

LATER = ("olmo3", "cohere2", "exaone4", "glm", "glm4", "ernie4_5", "seed_oss", "helium", "arcee", "jais2", "vaultgemma", "flex_olmo",
         "persimmon", "biogpt", "internlm3", "iquestcoder", "cwm", "ministral3")
CONFIGS |= {name: row(name, lengths=FIRST_LENGTHS) for name in LATER}

TYPES = dict(layer_types=["full_attention", "sliding_attention"])
CONFIGS |= {
    "olmo3_types": row("olmo3", dict(SMALL, num_key_value_heads=1, attention_bias=True, **TYPES)),
    "olmo3_plain": row("olmo3", dict(SMALL, num_hidden_layers=4, tie_word_embeddings=True, rope_parameters=None, hidden_act="gelu")),
    "cohere2_types": row("cohere2", dict(SMALL, attention_bias=True, num_key_value_heads=6, **TYPES)),
    "cohere2_untied": row("cohere2", dict(SMALL, tie_word_embeddings=False, num_key_value_heads=1, logit_scale=2.0, layer_types=[
                          "sliding_attention", "full_attention"])),
    "exaone4_full": row("exaone4", dict(SMALL, sliding_window=None, num_key_value_heads=6, layer_types=["full_attention"] * 2)),
    "exaone4_types": row("exaone4", dict(SMALL, tie_word_embeddings=True, num_key_value_heads=1, head_dim=16, **TYPES)),
    "glm_unbiased": row("glm", dict(SMALL, attention_bias=False, num_key_value_heads=1, tie_word_embeddings=True)),
    "glm_whole": row("glm", dict(SMALL, rope_parameters=dict(rope_type="default", rope_theta=500.0, partial_rotary_factor=1.0), num_key_value_heads=6)),
    "glm4_unbiased": row("glm4", dict(SMALL, attention_bias=False, num_key_value_heads=1)),
    "glm4_tied": row("glm4", dict(SMALL, tie_word_embeddings=True, head_dim=20, hidden_act="gelu")),
    "ernie4_5_biased": row("ernie4_5", dict(SMALL, use_bias=True, tie_word_embeddings=False)),
    "ernie4_5_narrow": row("ernie4_5", dict(SMALL, head_dim=8, num_key_value_heads=1)),
    "seed_oss_biased": row("seed_oss", dict(SMALL, attention_out_bias=True, mlp_bias=True)),
    "seed_oss_unbiased": row("seed_oss", dict(SMALL, attention_bias=False, attention_out_bias=True, tie_word_embeddings=True)),
    "helium_biased": row("helium", dict(SMALL, attention_bias=True, mlp_bias=True, num_key_value_heads=6)),
    "helium_tied": row("helium", dict(SMALL, tie_word_embeddings=True, num_key_value_heads=1, rope_parameters=dict(rope_type="default", rope_theta=300.0))),
    "arcee_biased": row("arcee", dict(SMALL, attention_bias=True, mlp_bias=True, head_dim=16)),
    "arcee_yarn": row("arcee", dict(SMALL, num_key_value_heads=1, tie_word_embeddings=True, **yarn())),
    "jais2_unbiased": row("jais2", dict(SMALL, attention_bias=False, mlp_bias=False, num_key_value_heads=6)),
    "jais2_tied": row("jais2", dict(SMALL, tie_word_embeddings=True, num_key_value_heads=1, head_dim=16, hidden_act="gelu")),
    "vaultgemma_uncapped": row("vaultgemma", dict(SMALL, attn_logit_softcapping=None, final_logit_softcapping=None, attention_bias=True)),
    "vaultgemma_types": row("vaultgemma", dict(SMALL, num_key_value_heads=1, tie_word_embeddings=False, final_logit_softcapping=3.0, **TYPES)),
    "flex_olmo_summed": row("flex_olmo", dict(SMALL, norm_topk_prob=True, num_key_value_heads=1)),
    "flex_olmo_all": row("flex_olmo", dict(SMALL, num_experts=3, num_experts_per_tok=3, attention_bias=True, tie_word_embeddings=True)),
    "persimmon_plain": row("persimmon", dict(SMALL, qk_layernorm=False, tie_word_embeddings=True), dict(extra={})),
    "persimmon_whole": row("persimmon", dict(SMALL, hidden_act="gelu", num_attention_heads=6, rope_parameters=dict(
                           rope_type="default", rope_theta=25000.0, partial_rotary_factor=1.0))),
    "biogpt_unscaled": row("biogpt", dict(SMALL, scale_embedding=False, hidden_act="relu")),
    "biogpt_untied": row("biogpt", dict(SMALL, tie_word_embeddings=False, num_attention_heads=6, layer_norm_eps=0.1)),
    "internlm3_biased": row("internlm3", dict(SMALL, attention_bias=True, mlp_bias=True)),
    "internlm3_dynamic": row("internlm3", dict(SMALL, max_position_embeddings=48, num_key_value_heads=1, rope_parameters=dict(
                             rope_type="dynamic", rope_theta=50000.0, factor=6.0))),
    "iquestcoder_biased": row("iquestcoder", dict(SMALL, attention_bias=True, mlp_bias=True)),
    "iquestcoder_tied": row("iquestcoder", dict(SMALL, num_key_value_heads=6, tie_word_embeddings=True)),
    "cwm_types": row("cwm", dict(SMALL, mlp_bias=True, num_key_value_heads=1, **TYPES)),
    "cwm_plain": row("cwm", dict(SMALL, tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=5000.0))),
    "ministral3_window": row("ministral3", dict(SMALL, sliding_window=9, num_key_value_heads=1, tie_word_embeddings=True)),
    "ministral3_steep": row("ministral3", dict(SMALL, head_dim=20, rope_parameters=dict(
                            rope_type="default", rope_theta=1e4, original_max_position_embeddings=5, llama_4_scaling_beta=0.7))),
}

# TransformerLens's own models, of ../oracle/lens.py: `named` are the points that have hooks there and that only names select
NAMED = ",result,q_input,k_input,v_input"


def lens(lengths=OTHER_LENGTHS, **changes):
    return dict(family="HookedTransformer", changes=changes, lengths=lengths,
                named=NAMED + ("" if changes.get("attn_only") else ",mlp_in"))


LENS = {
    "lens_gelu": lens(FIRST_LENGTHS, n_layers=1),
    "lens_attn_only": lens(FIRST_LENGTHS, attn_only=True, positional_embedding_type="shortformer"),
    "lens_solu": lens(FIRST_LENGTHS, act_fn="solu_ln", d_mlp=77),
    "lens_solu_folded": lens(act_fn="solu_ln", normalization_type="LNPre", d_head=10, n_heads=3, n_layers=1),
    "lens_algorithmic": lens(attn_only=True, normalization_type=None, d_vocab_out=7, use_attn_scale=False),
    "lens_shortformer": lens(act_fn="gelu_new", normalization_type=None, d_mlp=91, positional_embedding_type="shortformer"),
    "lens_rotary": lens(act_fn="silu", normalization_type="RMS", n_key_value_heads=2, positional_embedding_type="rotary",
                        rotary_dim=8),
    "lens_pairs": lens(act_fn="relu", normalization_type="RMSPre", parallel_attn_mlp=True, attn_scores_soft_cap=5.0,
                       output_logits_soft_cap=3.0, positional_embedding_type="rotary", rotary_adjacent_pairs=True,
                       rotary_base=500),
    "lens_local": lens(act_fn="solu", final_rms=True, use_local_attn=True, window_size=7, attn_types=["global", "local"],
                       scale_attn_by_inverse_layer_idx=True, attn_scale=2.0, d_vocab_out=223),
}
