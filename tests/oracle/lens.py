"""Reference activations of TransformerLens's own models: HookedTransformer in float64, every hook point by its own name.

`build` writes a random model as a folder (config.json of HookedTransformerConfig's fields, model.safetensors of its
state_dict), `run` gives what its hooks see, in the form that reference.py saves. HookedTransformer was taken out of
TransformerLens with 4.0, so this is 3.9.
"""
import json
from pathlib import Path

# fields whose hooks are off by default because they cost: weir has those points by name
ALL_HOOKS = dict(use_attn_result=True, use_split_qkv_input=True)
SMALL = dict(n_layers=2, d_model=48, n_ctx=96, d_head=12, n_heads=4, d_vocab=211, act_fn="gelu")


def build(out, changes, seed, dtype):
    """a random model with SMALL changed as told, weights and biases as large as reference.build makes them"""
    import torch
    from safetensors.torch import save_file
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    fields = {**SMALL, **changes}
    model = HookedTransformer(HookedTransformerConfig(**fields, seed=seed, device="cpu"))
    gen = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            vector = p.dim() == 1 or ".b_" in name or "._b_" in name
            p.copy_((p if vector else 2 * p) + (0.3 * torch.randn(p.shape, generator=gen) if vector else 0))
    buffers = {name for name, _ in model.named_buffers()}
    state = {name: (x if name in buffers else x.to(getattr(torch, dtype))).contiguous()
             for name, x in model.state_dict().items()}
    save_file(state, Path(out) / "model.safetensors")
    # all fields, as people's files have them; what cannot be JSON as its name
    config = {key: value for key, value in model.cfg.to_dict().items() if key not in ("device",)}
    (Path(out) / "config.json").write_text(json.dumps(config, indent=1, default=str) + "\n")


def load(folder, dtype="float64", hooks=ALL_HOOKS):
    """the model of a folder, with those hook points on that are off by default"""
    import torch
    from safetensors.torch import load_file
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    fields = json.loads((Path(folder) / "config.json").read_text())
    fields |= hooks | dict(dtype=getattr(torch, dtype), device="cpu")
    model = HookedTransformer(HookedTransformerConfig(**fields)).eval()
    parameters = {name for name, _ in model.named_parameters()}     # buffers are made anew, as exact as the dtype
    weights = load_file(Path(folder) / "model.safetensors")
    model.load_state_dict({name: weights[name].to(fields["dtype"]) for name in parameters}, strict=False)
    return model


def run(folder, tokens, dtype="float64", rows=None):
    """hook name -> float64 array with a leading batch axis of 1; `rows`: the queries whose scores and patterns are kept"""
    import torch
    fields = json.loads((Path(folder) / "config.json").read_text())
    model = load(folder, dtype, ALL_HOOKS | dict(use_hook_mlp_in=not fields["attn_only"]))
    got = {}

    def keep(value, hook):
        x = value.detach()
        if rows is not None and hook.name.endswith(("hook_attn_scores", "hook_pattern")):
            x = x[:, :, rows]
        x = x.to(torch.float64)
        got[hook.name] = (x[..., 0] if hook.name.endswith("hook_scale") else x).numpy()

    def keep_norm(name):
        return lambda module, args, output: got.__setitem__(name + ".hook_out", output.detach().double().numpy())

    for name, module in model.named_modules():         # what the norm gives has no hook point there
        if name == "ln_final" or name.endswith((".ln1", ".ln2")) and "Identity" not in type(module).__name__:
            module.register_forward_hook(keep_norm(name))
    with torch.no_grad():
        logits = model.run_with_hooks(torch.tensor([tokens]), fwd_hooks=[(lambda name: True, keep)])
    got["logits"] = logits.to(torch.float64).numpy()
    got.pop("unembed.hook_in", None)                   # ln_final.hook_out again
    for i in range(fields["n_layers"]):                # ln1 reads each head's copy of the stream: all heads' are the same
        for point in ("hook_scale", "hook_normalized", "hook_out"):
            name = f"blocks.{i}.ln1.{point}"
            if name in got:
                got[name] = got[name][:, :, 0]
    return got
