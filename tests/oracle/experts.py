"""Edits of single experts' neurons by PyTorch hooks in float64: tests/model/fixtures/experts_FAMILY.h5.

    python tests/oracle/experts.py mixtral qwen3_moe gpt_oss

in the environment of make.py. A group per edit, `logits` and `resid_post` of the edited layer, [prompt, row, d], and the edit's text as weir
has it in the attribute `edit`. The hook computes the experts' sum anew from their weights, and must give PyTorch's own where nothing is edited.
"""
import sys
from pathlib import Path

import h5py
import numpy as np
import torch
import transformers

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "model"))
import prompts  # noqa: E402
import reference  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[1] / "model/fixtures"
LAYER, ROWS = 1, (2, 8, 12, 22)
PROMPTS = [prompts.tokens(23), prompts.tokens(23, seed=6)]


def values_of(mod, x, chosen):
    """pre, pre_linear of every chosen expert, [row, expert_k, d_expert], and what makes post of them"""
    maps = mod.gate_up_proj[chosen]
    if hasattr(mod, "gate_up_proj_bias"):                                    # GPT-OSS: in turn
        both = torch.einsum("pkdf,pd->pkf", maps, x) + mod.gate_up_proj_bias[chosen]
        return both[..., ::2], both[..., 1::2], lambda pre, linear: mod._apply_gate(torch.stack((pre, linear), -1).flatten(-2))
    return *torch.einsum("pkfd,pd->pkf", maps, x).chunk(2, -1), lambda pre, linear: mod.act_fn(pre) * linear


def summed(mod, post, chosen, weights):
    maps = mod.down_proj[chosen]
    if hasattr(mod, "down_proj_bias"):
        out = torch.einsum("pkf,pkfd->pkd", post, maps) + mod.down_proj_bias[chosen]
    else:
        out = torch.einsum("pkf,pkdf->pkd", post, maps)
    return (out * weights[..., None]).sum(1)


def run(model, change):
    """logits and resid_post of all prompts at once; change(point, values, chosen): values [prompt, pos, expert_k, d_expert], in place"""
    seen = {}

    def hook(mod, args, kwargs, output):
        x, chosen, weights = (*args, *kwargs.values())
        x = x.reshape(-1, x.shape[-1])
        by_prompt = lambda v: v.reshape(len(PROMPTS), -1, *v.shape[1:])
        pre, linear, post_of = values_of(mod, x, chosen)
        change("expert_pre", by_prompt(pre), by_prompt(chosen))
        change("expert_pre_linear", by_prompt(linear), by_prompt(chosen))
        post = post_of(pre, linear)
        change("expert_post", by_prompt(post), by_prompt(chosen))
        out = summed(mod, post, chosen, weights).reshape(output.shape)
        seen.update(chosen=by_prompt(chosen), off=(out - output).abs().max())
        return out
    block = model.model.layers[LAYER]
    experts, = [m for name, m in block.named_modules() if name.endswith("experts")]
    handles = [experts.register_forward_hook(hook, with_kwargs=True),
               block.register_forward_hook(lambda mod, args, out: seen.update(resid_post=out[0] if isinstance(out, tuple) else out))]
    with torch.no_grad(), reference.all_double(lambda scores: None):
        seen["logits"] = model(torch.tensor(PROMPTS)).logits
    for handle in handles:
        handle.remove()
    return seen


def edits_of(chosen):
    """text -> change, of an expert that is chosen often"""
    n = torch.bincount(chosen.flatten())
    e = int(n.argmax())
    both = [p for p in range(chosen.shape[1]) if all(e in chosen[i, p] for i in range(2))]
    row, few = both[len(both) // 2], slice(3, 7)

    def at(point, rows, neurons, by):
        def change(name, x, chosen):
            if name == point:
                part, of = x[:, rows], chosen[:, rows]
                for index in (of == e).nonzero().tolist():
                    part[(*index, neurons)] = by(part[(*index, neurons)])
        return change

    def patch(name, x, chosen):
        if name == "expert_post":
            x[0, row][chosen[0, row] == e] = x[1, row][chosen[1, row] == e].clone()

    def mean(name, x, chosen):
        if name == "expert_pre":
            x[0][chosen[0] == e] = x[1][chosen[1] == e].mean(0)

    everywhere = slice(None)
    return {f"expert_post:{LAYER}.{e}.5 = 0": at("expert_post", everywhere, 5, lambda x: 0 * x),
            f"expert_post:{LAYER}.{e}.3:7@2:15 *= -2": at("expert_post", slice(2, 15), few, lambda x: -2 * x),
            f"expert_pre:{LAYER}.{e}@4: += 0.5": at("expert_pre", slice(4, None), everywhere, lambda x: x + 0.5),
            f"expert_pre_linear:{LAYER}.{e}.3:7 <= -0.25": at("expert_pre_linear", everywhere, few, lambda x: x.clamp(max=-0.25)),
            f"expert_post:{LAYER}.{e}@{row}#0 = [#1]": patch,
            f"expert_pre:{LAYER}.{e}#0 = mean([@:#1])": mean}


def main():
    transformers.logging.set_verbosity_error()
    for family in sys.argv[1:]:
        model = reference.load(str(FIXTURES / family), "float64")
        plain = run(model, lambda point, x, chosen: None)
        assert plain["off"] < 1e-12, plain["off"]
        with h5py.File(FIXTURES / f"experts_{family}.h5", "w") as file:
            for i, (text, change) in enumerate(edits_of(plain["chosen"]).items()):
                got = run(model, change)
                group = file.create_group(str(i))
                group.attrs["edit"] = text
                for name in ("resid_post", "logits"):
                    group.create_dataset(name, data=got[name][:, list(ROWS)].numpy().astype(np.float32), compression="gzip")
                print(family, text, float((got["logits"] - plain["logits"]).abs().max()))


if __name__ == "__main__":
    main()
