"""Holds the circuits of tests/model/fixtures/paths_*.h5 (paths.py) to EAP-IG's own evaluate_graph: prints the largest difference.

    python tests/oracle/eap_ig.py EAP-IG/src gpt2 llama gemma2

The folder is that of a checkout of hannamw/EAP-IG (795f560), in an environment with torch, transformers, h5py, einops and
transformer-lens 2.16. At 795f560 the differences are those of float32: below 2e-6. TransformerLens itself is 0.015 from
transformers on the gpt_neox of the fixtures, which rotates an odd number of dimensions.
"""
import json
import sys
import types
from pathlib import Path

import h5py
import numpy as np
import torch
import transformers
import transformer_lens.pretrained.weight_conversions as conversions
from transformer_lens import HookedTransformer, HookedTransformerConfig

FIXTURES = Path(__file__).resolve().parents[2] / "tests/model/fixtures"


def load_eap(folder):
    """its two modules, without pictures, and on the processor"""
    sys.path.insert(0, folder)
    pictures = types.ModuleType("eap.visualization")
    pictures.get_color = pictures.generate_random_color = None
    sys.modules["eap.visualization"] = pictures
    import eap.evaluate
    import eap.graph
    zeros = torch.zeros
    eap.evaluate.torch = types.SimpleNamespace(**{**vars(torch), "zeros": lambda *a, **k: zeros(*a, **{**k, "device": "cpu"})})
    eap.evaluate.tokenize_plus = lambda model, ids: (ids, torch.ones_like(ids), torch.full((len(ids),), ids.shape[1]), ids.shape[1])
    return eap.evaluate.evaluate_graph, eap.graph.Graph


def config_of(c, name):
    common = dict(n_layers=c.num_hidden_layers, d_model=c.hidden_size, n_heads=c.num_attention_heads, d_vocab=c.vocab_size, n_ctx=96,
                  use_attn_result=True, use_split_qkv_input=True, use_hook_mlp_in=True, device="cpu")
    if name == "gpt2":
        return dict(common, d_head=c.hidden_size // c.num_attention_heads, d_mlp=4 * c.hidden_size, act_fn="gelu_new",
                    eps=c.layer_norm_epsilon, normalization_type="LN", positional_embedding_type="standard")
    d_head = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    rotary = dict(common, d_head=d_head, d_mlp=c.intermediate_size, eps=c.rms_norm_eps, normalization_type="RMS",
                  positional_embedding_type="rotary", rotary_dim=d_head, rotary_base=int(c.rope_parameters.get("rope_theta", 10000)),
                  gated_mlp=True, final_rms=True, n_key_value_heads=c.num_key_value_heads, ungroup_grouped_query_attention=True)
    if name == "llama":
        return dict(rotary, act_fn="silu")
    return dict(rotary, act_fn="gelu_pytorch_tanh", use_normalization_before_and_after=True, attn_scores_soft_cap=c.attn_logit_softcapping,
                output_logits_soft_cap=c.final_logit_softcapping, attn_scale=c.query_pre_attn_scalar ** 0.5, window_size=c.sliding_window,
                use_local_attn=True, attn_types=["local" if kind.startswith("sliding") else "global" for kind in c.layer_types])


def boot(name):
    theirs = transformers.AutoModelForCausalLM.from_pretrained(FIXTURES / name, dtype=torch.float32, attn_implementation="eager")
    model = HookedTransformer(HookedTransformerConfig(**config_of(theirs.config, name)))
    convert = {"gpt2": conversions.convert_gpt2_weights, "llama": conversions.convert_llama_weights,
               "gemma2": conversions.convert_gemma_weights}[name]
    model.load_and_process_state_dict(convert(theirs, model.cfg), fold_ln=False, center_writing_weights=False, center_unembed=False,
                                      fold_value_biases=False)
    return model


def compare(name, evaluate_graph, Graph):
    model = boot(name)
    with h5py.File(FIXTURES / f"paths_{name}.h5") as file:
        pairs, circuits = json.loads(file.attrs["pairs"]), [json.loads(text) for text in file["circuits/edges"].asstr()]
        names, want = json.loads(file["circuits/names"].asstr()[()]), file["circuits/values"][...]
    prompts = [tuple(torch.tensor([pair[side] for pair in pairs]) for side in ("clean", "corrupt")) + (None,)]

    def metric(logits, *_):
        return torch.stack([x[-1, pair["answer"]] - x[-1, pair["wrong"]] for x, pair in zip(logits, pairs)])

    worst = 0
    for inside, values in zip(map(set, circuits), want):
        graph = Graph.from_model(model)
        assert set(graph.edges) == set(names)
        for edge in graph.edges.values():
            edge.in_graph = edge.name in inside
        worst = max(worst, np.abs(evaluate_graph(model, graph, prompts, metric, quiet=True).numpy() - values).max())
    print(name, worst)
    assert worst < 1e-5


def main():
    torch.set_num_threads(1)                   # the models are tiny
    evaluate_graph, Graph = load_eap(sys.argv[1])
    for name in sys.argv[2:]:
        compare(name, evaluate_graph, Graph)


main()
