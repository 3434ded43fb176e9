#!/usr/bin/env python3
"""What TransformerLens itself says of names, shapes and stacks, for test_package_lens.py:

    script/oracle tests/python/make_lens_expected.py

data/lens_names.json    arguments of get_act_name and what it answers (the same in TransformerLens 3.9 and 4.3)
data/MODEL.npz          run_with_cache on PROMPTS, in float64, stored as float32: cache/NAME for each entry, and
                        stack/METHOD/ARGUMENTS (with labels/ beside it) for what ActivationCache makes of them. The
                        models are tiny ones of tests/model/fixtures: GPT-2 with one layer, and with two and SoLU
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))
MODELS = HERE.parent / "model/fixtures"
PROMPTS = [[5, 7, 9, 11, 100], [3, 1, 4, 1, 5]]

NAMES = [
    *([word] for word in "embed pos_embed scale normalized k6 scale4ln1 pre5 normalized2ln2 v3a hook_embed".split()),
    *([word, 3] for word in "attn attn_logits key query value mlp_pre mlp_mid mlp_post k q v z rot_k rot_q result pattern "
      "attn_scores pre post mid pre_linear resid_pre resid_mid resid_post attn_out mlp_out q_input attn_in".split()),
    ["k", 6, "a"], ["pre", 2, "m"], ["resid_pre", 2, "b"], ["resid_mid", 1, "block"], ["attn_out", 1, "blocks"],
    ["normalized", 27, "ln2"], ["scale", 0, "ln1"], ["scale", 1, "ln1_post"], ["q_normed", 4, "attention"],
    ["blocks.3.attn.hook_z"], ["ln_final.hook_normalized"],
]
STACKS = [
    ("accumulated_resid", {}), ("accumulated_resid", dict(layer=1)), ("accumulated_resid", dict(layer=-1, incl_mid=True)),
    ("accumulated_resid", dict(layer=1, incl_mid=True)), ("accumulated_resid", dict(layer=1, incl_mid=True, mlp_input=True)), ("accumulated_resid", dict(pos_slice=-1)),
    ("accumulated_resid", dict(layer=0, pos_slice=[1, 3])),
    ("decompose_resid", {}), ("decompose_resid", dict(layer=1, mlp_input=True)), ("decompose_resid", dict(layer=0)),
    ("decompose_resid", dict(mode="attn", incl_embeds=False)), ("decompose_resid", dict(mode="mlp", pos_slice=[0, 2])),
    ("stack_head_results", {}), ("stack_head_results", dict(layer=1, incl_remainder=True)),
    ("stack_head_results", dict(pos_slice=2)),
    ("stack_activation", dict(activation_name="pattern")), ("stack_activation", dict(activation_name="post", layer=1)),
    ("stack_activation", dict(activation_name="scale", sublayer_type="ln2")),
]  # fmt: skip


def answer(cache, method, arguments):
    """the stack and, where the method has them, its labels"""
    given = dict(arguments)
    if isinstance(given.get("pos_slice"), list):       # JSON has no tuples; a list of two stands for one here
        given["pos_slice"] = tuple(given["pos_slice"])
    if method == "stack_activation":
        return cache.stack_activation(**given), None
    return getattr(cache, method)(**given, return_labels=True)


def run(model, stacks):
    import torch

    import lens

    with torch.no_grad():
        _, cache = lens.load(MODELS / model, hooks=dict(use_attn_result=True)).run_with_cache(torch.tensor(PROMPTS))
    kept = {f"cache/{name}": value.numpy().astype("f4") for name, value in cache.items()}
    for method, arguments in stacks:
        stack, labels = answer(cache, method, arguments)
        key = f"{method}/{json.dumps(arguments)}"
        kept[f"stack/{key}"] = stack.numpy().astype("f4")
        if labels is not None:
            kept[f"labels/{key}"] = np.array(labels)
    np.savez_compressed(HERE / f"data/{model}.npz", **kept)


def main():
    from transformer_lens.utilities import get_act_name

    rows = [[arguments, get_act_name(*arguments)] for arguments in NAMES]
    (HERE / "data/lens_names.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    run("lens_gelu", [])
    run("lens_solu", STACKS)


if __name__ == "__main__":
    main()
