"""Reference activations of a Hugging Face model, in float64, under TransformerLens hook names.

    python reference.py build FAMILY DIR [--seed N]      a tiny random model of FAMILY, as a Hugging Face folder
    python reference.py run MODEL_DIR_OR_GGUF OUT.h5 --tokens 3,1,4,1,5 [--family FAMILY] [--dtype float64]
    python reference.py compare CACHE.h5 REFERENCE.h5    the largest error at each hook point; exit 1 past the bound

A reference file is laid out like a cache of this project: /tokens, and one dataset a hook point with the attribute
`hook_name` ("blocks.{layer}.attn.hook_pattern"), the first axis the layers, the next a batch of 1. Two things may be
fewer than in a cache: the layers (the attribute `layer_ids`) and the positions, on the pos axis, of patterns and scores
on the query axis (/rows). Of logits over a large vocabulary it may have every n-th only (the attribute `every`).
`compare` judges what the reference has.

Error at a hook point: the largest over rows (last axis) of max |a - b| / rms(row of b), the row's rms taken as no less
than a tenth of the median row's. A whole tensor's rms would not do: in real models the first token's stream is a
hundred times larger than the others' and would hide their errors. Masked entries (-inf) must be masked in both.
"""
import argparse, contextlib, dataclasses, os, re, sys
import numpy as np


def build(family, out, seed=0, dtype="float32", max_shard_size="5GB", changes=None):
    """a tiny random model of the family, its configuration changed as told"""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from families import FAMILIES
    fam = FAMILIES[family]
    torch.manual_seed(seed)
    cfg = AutoConfig.for_model(fam.model_type, **{**fam.config, **(changes or {})})
    model = AutoModelForCausalLM.from_config(cfg, dtype=torch.float32)
    gen = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():                      # untrained norms are all ones and biases zeros: make them matter
        for name, p in model.named_parameters():
            if p.dim() == 1 or name.endswith("bias"):    # experts' biases stand in one tensor of 2 dimensions
                p.add_(0.3 * torch.randn(p.shape, generator=gen))
            else:
                p.mul_(8.0)
    model.to(getattr(torch, dtype)).save_pretrained(out, max_shard_size=max_shard_size)


def pack_mxfp4(folder):
    """rounds the experts of a GPT-OSS folder to MXFP4, as published ones have them: 32 values of a row share a power of two"""
    import json, torch
    from safetensors.torch import load_file, save_file
    levels = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6])
    tensors = load_file(f"{folder}/model.safetensors")
    for name in [name for name in tensors if name.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        x = tensors.pop(name).float().transpose(1, 2)                          # [expert, out, in]
        x = x.reshape(*x.shape[:2], -1, 32)
        exponent = x.abs().amax(-1).log2().floor() - 2
        x = x / exponent.exp2()[..., None]
        codes = ((x.abs()[..., None] - levels).abs().argmin(-1) + 8 * (x < 0)).to(torch.uint8)
        tensors[name + "_blocks"] = codes[..., 0::2] | codes[..., 1::2] << 4
        tensors[name + "_scales"] = (exponent + 127).to(torch.uint8)
    save_file({name: x.contiguous() for name, x in tensors.items()}, f"{folder}/model.safetensors", {"format": "pt"})
    config = json.load(open(f"{folder}/config.json"))
    config["quantization_config"] = dict(quant_method="mxfp4", modules_to_not_convert=["lm_head", "model.embed_tokens"])
    json.dump(config, open(f"{folder}/config.json", "w"), indent=2)


def all_double(seen_softmax, edited=lambda x: x, seen_product=lambda a, b: None):
    """transformers computes norms, rotations and softmax in float32 whatever the model's dtype: redirect those casts to
    float64, show every 4-d softmax input (the attention scores) to `seen_softmax`, and go on with what `edited` makes of its
    output (the pattern). `seen_product` sees the factors of 4-d products: the last one before a softmax made its scores."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Double(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            up = lambda x: torch.float64 if x is torch.float32 else x
            args, kwargs = tuple(map(up, args)), {k: up(v) for k, v in (kwargs or {}).items()}
            if func is torch.Tensor.float:
                return args[0].double()
            if func in (torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__) and args[1].dim() == 4:
                seen_product(*args)
            if func in (torch.softmax, torch.nn.functional.softmax, torch.Tensor.softmax) and args and args[0].dim() == 4:
                seen_softmax(args[0])
                return edited(func(*args, **kwargs))
            return func(*args, **kwargs)
    return Double()


def zeroed(x, index):
    """x [batch, ...] with zero where `index` names, None being all of an axis"""
    x = x.clone()
    x[(slice(None), *(slice(None) if i is None else i for i in index))] = 0
    return x


@contextlib.contextmanager
def default_dtype(dtype):
    """what integers divide into: GPT-J's sines and the base of dynamic scaling are made so"""
    import torch
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def load(model_dir, dtype, **where):
    """the model of a folder. In float64 its rotation frequencies and slopes are too, which transformers makes in float32:
    at position 8000 an angle would be off by 2e-4."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMultimodalLM
    wraps = not where and hasattr(AutoConfig.from_pretrained(model_dir), "text_config")
    auto = AutoModelForMultimodalLM if wraps else AutoModelForCausalLM
    with default_dtype(dtype), all_double(lambda scores: None) if dtype == "float64" else contextlib.nullcontext():
        return auto.from_pretrained(model_dir, dtype=getattr(torch, dtype), **where,
                                    attn_implementation="eager", experts_implementation="eager").eval()


def run(model_dir, tokens, family=None, dtype="float64", paths=None, edit=None, rows=None):
    """every hook point the oracle gives, name -> float64 array with a leading batch axis of 1; `paths`: fields of the Family
    that this configuration moves; `edit`: a point (z, resid_pre or pattern), layer and index to zero as it is computed;
    `rows`: the queries whose scores and patterns are kept, by default all (of 8000 they are 1 GB a layer)"""
    import torch
    from transformers import AutoConfig
    from families import FAMILIES
    where = dict(gguf_file=os.path.basename(model_dir)) if model_dir.endswith(".gguf") else {}
    if where:                                  # transformers dequantizes the file, so the weights are the same numbers
        model_dir = os.path.dirname(os.path.abspath(model_dir))
    cfg = AutoConfig.from_pretrained(model_dir, **where).get_text_config()     # a wrapper's text model is what runs
    fam = dataclasses.replace(FAMILIES[family or cfg.model_type], **(paths or {}))
    model = load(model_dir, dtype, **where)
    got, now = {}, [0]

    def module(path):
        m = model
        for part in path.split("."):
            m = m[int(part)] if part.isdigit() else getattr(m, part)
        return m

    def has(path):
        try:
            return module(path) is not None
        except AttributeError:
            return False

    def first(x):
        return x[0] if isinstance(x, (tuple, list)) else x

    def keep(name, which, heads=None):
        def hook(mod, args, kwargs, output):
            if which == "in":
                x = args[0] if args else kwargs.get("hidden_states", next(iter(kwargs.values())))
            else:
                x = output
            x = first(x).detach()
            if x.dim() == 2:                   # some MLPs flatten batch and position
                x = x.reshape(1, -1, x.shape[-1])
            if heads:
                x = x.reshape(*x.shape[:2], heads, -1)
            got[name] = x.clone()
        return hook

    def watch(path, name, which, heads=None):
        module(path).register_forward_hook(keep(name, which, heads), with_kwargs=True)

    def watch_router(path, name):
        """logits, weights as applied and chosen experts by falling weight, of a router that gives (logits, weights, experts)"""
        def hook(mod, args, kwargs, output):
            logits, weights, chosen = (x.detach() for x in output)
            order = torch.sort(weights, dim=-1, descending=True, stable=True).indices
            got[name + ".hook_router_logits"] = logits[None].clone()
            got[name + ".hook_expert_weights"] = torch.zeros_like(logits).scatter(-1, chosen, weights)[None]
            got[name + ".hook_expert_indices"] = chosen.gather(-1, order)[None]
        module(path).register_forward_hook(hook, with_kwargs=True)

    def watch_experts(path, name):
        """what the chosen experts compute inside, by falling weight; made again from their weights, which is where it is kept"""
        def hook(mod, args, kwargs, output):
            x, chosen, weights = (a.detach() for a in (*args, *kwargs.values()))
            x = x.reshape(-1, x.shape[-1])
            order = torch.sort(weights, dim=-1, descending=True, stable=True).indices
            chosen = chosen.gather(-1, order)
            maps = mod.gate_up_proj[chosen]
            if hasattr(mod, "gate_up_proj_bias"):                            # GPT-OSS: [pos, expert_k, d_model, 2 d_expert] in turn
                both = torch.einsum("pkdf,pd->pkf", maps, x) + mod.gate_up_proj_bias[chosen]
                pre, linear, post = both[..., ::2], both[..., 1::2], mod._apply_gate(both)
            else:                                                            # [pos, expert_k, 2 d_expert, d_model]
                pre, linear = torch.einsum("pkfd,pd->pkf", maps, x).chunk(2, -1)
                post = mod.act_fn(pre) * linear
            for value, x in ("pre", pre), ("pre_linear", linear), ("post", post):
                got[f"{name}.hook_expert_{value}"] = x.detach()[None]
        module(path).register_forward_hook(hook, with_kwargs=True)

    def watch_norm(path, name, with_out=True):
        """scale, normalized and out of a LayerNorm or RMS norm; normalized is before weight and bias"""
        norm = module(path)
        centred = isinstance(norm, torch.nn.LayerNorm) or "LayerNorm" in type(norm).__name__
        eps = next((getattr(norm, a) for a in ("eps", "variance_epsilon", "epsilon") if hasattr(norm, a)), 1e-5)   # OLMo: fixed

        def hook(mod, args, kwargs, output):
            x = (args[0] if args else kwargs["hidden_states"]).detach().double()
            x = x.reshape(1, -1, x.shape[-1])
            if centred:
                x = x - x.mean(-1, keepdim=True)
            scale = (x.pow(2).mean(-1) + eps).sqrt()
            got[name + ".hook_scale"], got[name + ".hook_normalized"] = scale, x / scale[..., None]
            if with_out:
                got[name + ".hook_out"] = output.detach().clone().reshape(x.shape)
        norm.register_forward_hook(hook, with_kwargs=True)

    def without_alibi(mod, args, kwargs):
        """transformers' eager Falcon adds ALiBi twice, in the mask and beside it; its own sdpa and the published code once"""
        mask = kwargs["attention_mask"]
        return args, {**kwargs, "attention_mask": mask.masked_fill(mask > torch.finfo(mask.dtype).min / 2, 0.0)}

    n_heads = getattr(cfg, "num_attention_heads", None) or getattr(cfg, "n_head", None) or cfg.n_heads
    n_kv = fam.extra.get("n_kv") or getattr(cfg, "num_key_value_heads", None) or n_heads
    skipped = getattr(cfg, "cross_attention_layers", [])                      # Mllama's, of images
    files = [i for i in range(len(module(fam.blocks))) if i not in skipped]
    n_layers = len(files)
    direct_out = fam.model_type not in ("bloom", "mpt", "opt", "granite", "biogpt")   # these add the residual inside

    def edit_input(path, change):
        def hook(mod, args, kwargs):
            if args:
                return (change(args[0]), *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}
        module(path).register_forward_pre_hook(hook, with_kwargs=True)

    def edit_z(x):
        return zeroed(x.reshape(*x.shape[:2], n_heads, -1), edit["index"]).reshape(x.shape)

    def edit_pattern(x):
        return zeroed(x, edit["index"]) if edit and edit["point"] == "pattern" and edit["layer"] == now[0] else x

    if edit and edit["point"] == "resid_pre":
        edit_input(f"{fam.blocks}.{edit['layer']}", lambda x: zeroed(x, edit["index"]))
    if edit and edit["point"] == "z":
        edit_input(f"{fam.blocks}.{edit['layer']}.{fam.o_proj}", edit_z)
    for i in range(n_layers):
        b, n = f"{fam.blocks}.{files[i]}", f"blocks.{i}."
        module(b).register_forward_pre_hook(lambda m, a, i=i: now.__setitem__(0, i))
        if fam.model_type == "falcon" and cfg.alibi:
            module(f"{b}.{fam.attn}").register_forward_pre_hook(without_alibi, with_kwargs=True)
        watch(b, n + "hook_resid_pre", "in")
        watch(b, n + "hook_resid_post", "out")
        watch(f"{b}.{fam.o_proj}", n + "attn.hook_z", "in", n_heads)
        if fam.ln1:
            watch_norm(f"{b}.{fam.ln1}", n + "ln1")
        if fam.ln2:
            watch(f"{b}.{fam.ln2}", n + "hook_resid_mid", "in")
            watch_norm(f"{b}.{fam.ln2}", n + "ln2")
        if fam.extra.get("mlp_norm") and has(f"{b}.{fam.extra['mlp_norm']}"):
            watch_norm(f"{b}.{fam.extra['mlp_norm']}", n + "ln2")
        if fam.post_attn_norm:
            watch(f"{b}.{fam.post_attn_norm}", n + "hook_attn_out", "out")
            watch_norm(f"{b}.{fam.post_attn_norm}", n + "ln1_post", with_out=False)
        elif direct_out:
            watch(f"{b}.{fam.o_proj}", n + "hook_attn_out", "out")
        if fam.post_mlp_norm:
            watch(f"{b}.{fam.post_mlp_norm}", n + "hook_mlp_out", "out")
            watch_norm(f"{b}.{fam.post_mlp_norm}", n + "ln2_post", with_out=False)
        elif direct_out:
            watch(f"{b}.{fam.mlp}", n + "hook_mlp_out", "out")
        if fam.down:
            watch(f"{b}.{fam.down}", n + "mlp.hook_post", "in")
        if fam.pre:
            watch(f"{b}.{fam.pre}", n + "mlp.hook_pre", "out")
        if fam.pre_linear and fam.pre_linear != "halves":
            watch(f"{b}.{fam.pre_linear}", n + "mlp.hook_pre_linear", "out")
        if fam.q:
            watch(f"{b}.{fam.q}", n + "attn.hook_q", "out", n_heads)
            watch(f"{b}.{fam.k}", n + "attn.hook_k", "out", n_kv)
        if fam.v:
            watch(f"{b}.{fam.v}", n + "attn.hook_v", "out", n_kv)
        if fam.qkv:
            watch(f"{b}.{fam.qkv[0]}", n + "qkv", "out")
        if fam.extra.get("qk_norm"):
            names = fam.extra.get("qk_names", "{}_norm")
            for x in "qk":
                watch(f"{b}.{fam.attn}.{names.format(x)}", n + f"attn.hook_{x}_normed", "out")
        if fam.extra.get("router") and has(f"{b}.{fam.extra['router']}"):
            watch_router(f"{b}.{fam.extra['router']}", n + "mlp")
            if fam.extra.get("experts"):
                watch_experts(f"{b}.{fam.extra['experts']}", n + "mlp")
        elif fam.extra.get("router"):          # a dense layer among sparse ones
            for path, name, which in (("gate_proj", "pre", "out"), ("up_proj", "pre_linear", "out"), ("down_proj", "post", "in")):
                watch(f"{b}.{fam.mlp}.{path}", n + "mlp.hook_" + name, which)
    watch_norm(fam.ln_final, "ln_final")
    chosen = lambda x: x.detach().clone() if rows is None else x.detach()[:, :, rows]
    factors = [None, None]                     # of the last product: q and k that were rotated, k transposed

    def rotates(layer):
        listed = getattr(cfg, "no_rope_layers", None)
        rotary = getattr(cfg, "rope_parameters", None) or getattr(cfg, "rotary_dim", None)   # Falcon: or ALiBi
        by_window = fam.model_type in ("cohere2", "exaone4") and cfg.sliding_window is not None
        if by_window and cfg.layer_types[layer] == "full_attention":
            return False
        return rotary and not getattr(cfg, "alibi", False) and (not listed or listed[layer])

    def scores(x):
        n = f"blocks.{now[0]}.attn.hook_"
        got[n + "attn_scores"] = chosen(x)
        if rotates(now[0]):
            q, k = factors[0], factors[1].transpose(2, 3)
            k = k[:, ::k.shape[1] // n_kv]     # heads that share one have copies of it
            got[n + "rot_q"], got[n + "rot_k"] = (y.detach().transpose(1, 2).clone() for y in (q, k))

    def product(q, k):
        factors[:] = q, k

    ids = torch.tensor([tokens])
    with torch.no_grad(), default_dtype(dtype), (all_double(scores, edit_pattern, product) if dtype == "float64" else contextlib.nullcontext()):
        res = model(ids, output_attentions=True, use_cache=False)
    got["logits"] = res.logits
    for i, a in enumerate(res.attentions):
        n = f"blocks.{i}."
        got[n + "attn.hook_pattern"] = chosen(a)
        if fam.extra.get("sinks") and n + "attn.hook_attn_scores" in got:  # the last column is the sink, all less the largest
            x, sinks = got[n + "attn.hook_attn_scores"], module(f"{fam.blocks}.{i}.{fam.attn}").sinks
            got[n + "attn.hook_attn_scores"] = x[..., :-1] - x[..., -1:] + sinks.detach().reshape(1, -1, 1, 1)
        if n + "attn.hook_attn_scores" in got:                             # the mask is a very negative number here
            x = got[n + "attn.hook_attn_scores"]
            got[n + "attn.hook_attn_scores"] = x.masked_fill(x < -1e30, float("-inf"))
        z = got[n + "attn.hook_z"]
        if fam.qkv:
            x = got.pop(n + "qkv")
            x = x.reshape(*x.shape[:2], -1, z.shape[-1])                   # [batch, pos, q and k and v heads, d_head]
            if fam.qkv[1] == "per_head":
                q, k, v = x[:, :, 0::3], x[:, :, 1::3], x[:, :, 2::3]
            elif fam.qkv[1] == "grouped":                                  # for each kv head: its q heads, k, v
                g = x.reshape(*x.shape[:2], n_kv, -1, z.shape[-1])
                q, k, v = g[:, :, :, :-2].flatten(2, 3), g[:, :, :, -2], g[:, :, :, -1]
            else:
                q, k, v = x.split([n_heads, n_kv, n_kv], dim=2)
            got[n + "attn.hook_q"], got[n + "attn.hook_k"], got[n + "attn.hook_v"] = q, k, v
        for name, heads in (("q", n_heads), ("k", n_kv)):                  # q/k norms: [batch, pos, head, d_head]
            x = got.get(n + f"attn.hook_{name}_normed")
            if x is not None:
                if x.dim() == 4 and x.shape[1] == heads and x.shape[2] == len(tokens):
                    x = x.transpose(1, 2)
                got[n + f"attn.hook_{name}_normed"] = x.reshape(1, len(tokens), heads, -1)
        clip = getattr(cfg, "clip_qkv", None) or getattr(getattr(cfg, "attn_config", None), "clip_qkv", None)
        for name in "qkv" if clip else "":                                 # the contract has them after the clip
            got[n + f"attn.hook_{name}"] = got[n + f"attn.hook_{name}"].clamp(-clip, clip)
        if fam.pre_linear == "halves":
            got[n + "mlp.hook_pre"], got[n + "mlp.hook_pre_linear"] = got[n + "mlp.hook_pre"].chunk(2, -1)
        pre, post = got[n + "hook_resid_pre"], got[n + "hook_resid_post"]
        if fam.post_attn_norm and n + "hook_resid_mid" not in got:
            got[n + "hook_resid_mid"] = pre + got[n + "hook_attn_out"]
        if not direct_out:
            got[n + "hook_attn_out"] = got[n + "hook_resid_mid"] - pre
            got[n + "hook_mlp_out"] = post - got[n + "hook_resid_mid"]
    return {name: x.to(torch.float64).numpy() for name, x in got.items()}


def row_axis(name):
    """the axis, batch axis included, that runs over positions (queries, in patterns and scores)"""
    return 2 if name.endswith(("hook_pattern", "hook_attn_scores")) else 1


def save(out, got, tokens, rows=None, layers=None, dtype="float64", every={}, **attrs):
    """Writes a reference file of what `run` got: `rows` and `layers` of it, by default all; `every`: a point's name -> n,
    to keep every n-th value of its last axis"""
    import h5py
    rows = list(range(len(tokens)) if rows is None else rows)
    stacks = {}                                # hook_name -> {layer: array}; layer None outside blocks
    for name, x in sorted(got.items()):
        block = re.match(r"blocks\.(\d+)\.", name)
        layer = int(block[1]) if block else None
        if layers is None or layer is None or layer in layers:
            axis = row_axis(name)
            x = x if x.shape[axis] == len(rows) else np.take(x, rows, axis=axis)      # `run` may have taken them
            x = x[..., ::every.get(name, 1)].astype(dtype)
            stacks.setdefault("blocks.{layer}." + name[block.end():] if block else name, {})[layer] = x
    with h5py.File(out, "w", libver="latest") as f:
        f.attrs.update(attrs)
        f["tokens"], f["rows"] = np.array(tokens, np.int32), np.array(rows, np.int32)
        for i, (name, stack) in enumerate(stacks.items()):
            x = stack[None] if None in stack else np.stack([stack[layer] for layer in sorted(stack)])
            d = f.create_dataset(f"activations/{i:02}", data=x, chunks=x.shape, compression=9, shuffle=True)
            d.attrs["hook_name"] = name
            if name in every:
                d.attrs["every"] = every[name]
            if None not in stack:
                d.attrs["layer_ids"] = sorted(stack)


def points(file):
    """name -> (dataset, index) of everything in a cache's or a reference's /activations; leading axis prompt"""
    import h5py
    found = {}
    for key, d in file["activations"].items():
        if not isinstance(d, h5py.Dataset):
            continue
        name = d.attrs.get("hook_name", key)
        name = name.decode() if isinstance(name, bytes) else str(name)
        if "{layer}" in name:
            for i, layer in enumerate(d.attrs.get("layer_ids", range(d.shape[0]))):
                found[name.replace("{layer}", str(layer))] = (d, i)
        else:
            found[name] = (d, Ellipsis)
    return found


def error(x, y):
    """the largest relative error over rows; inf where shapes, masks or NaNs disagree"""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape:
        return float("inf")
    ok = np.isfinite(y)
    if not np.isfinite(x[ok]).all() or np.isfinite(x[~ok]).any():
        return float("inf")
    if y.ndim < 3:                              # one number a position (a norm's scale)
        return float(np.max(np.abs(x - y) / np.abs(y)))
    count = np.maximum(ok.sum(-1), 1)
    rms = np.sqrt((np.where(ok, y, 0.0) ** 2).sum(-1) / count)
    rms = np.maximum(rms, 0.1 * max(float(np.median(rms)), 1e-12))
    return float(np.max(np.where(ok, np.abs(np.where(ok, x, 0.0) - np.where(ok, y, 0.0)), 0.0).max(-1) / rms))


def positions_of(cache, prompt, n):
    """which positions of a prompt of n a cache or a reference has, rising"""
    if "rows" in cache:
        return cache["rows"][...]
    held = cache["tokens/position"][prompt] if "tokens/position" in cache else np.arange(n)
    return held[held >= 0]


def errors(cache, reference, prompt=0):
    """name -> error for every point of the reference; None where the cache lacks the point. Both are open files."""
    rows = reference["rows"][...] if "rows" in reference else np.arange(len(reference["tokens"]))
    held = positions_of(cache, prompt, len(reference["tokens"]))
    have, found = points(cache), {}
    for name, (d, index) in points(reference).items():
        if name not in have:
            found[name] = None
            continue
        mine, at = have[name]
        mine = mine[at][prompt:prompt + 1]
        axis = row_axis(name)
        if mine.shape[axis] != len(held):
            found[name] = float("inf")
            continue
        mine = np.take(mine, np.searchsorted(held, rows), axis=axis)[..., ::int(d.attrs.get("every", 1))]
        found[name] = error(mine, d[index])
    return found


def compare(cache, reference, bound=5e-5, quiet=False):
    import h5py
    with h5py.File(cache) as a, h5py.File(reference) as b:
        found = errors(a, b)
    missing = [name for name, e in found.items() if e is None]
    bad = sorted(((e, name) for name, e in found.items() if e is not None and not e <= bound), reverse=True)
    if not quiet:
        for e, name in bad:
            print(f"  {name}: " + (f"error {e:.2e}" if np.isfinite(e) else "shapes, masks or NaNs differ"))
        for name in missing:
            print(f"  {name}: not in the cache")
    worst = max((e for e in found.values() if e is not None), default=0.0)
    print(f"{'FAIL' if bad or missing else 'ok  '} worst {worst:.2e}  {len(bad)} wrong, {len(missing)} missing")
    return bool(found) and not bad and not missing


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    s = p.add_subparsers(dest="verb", required=True)
    q = s.add_parser("build"); q.add_argument("family"); q.add_argument("dir"); q.add_argument("--seed", type=int, default=0)
    q = s.add_parser("run"); q.add_argument("model"); q.add_argument("out"); q.add_argument("--tokens", required=True)
    q.add_argument("--family"); q.add_argument("--dtype", default="float64")
    q = s.add_parser("compare"); q.add_argument("cache"); q.add_argument("reference"); q.add_argument("--bound", type=float, default=5e-5)
    a = p.parse_args()
    if a.verb == "build":
        build(a.family, a.dir, a.seed)
    elif a.verb == "run":
        tokens = [int(t) for t in re.split(r"[,\s]+", a.tokens.strip())]
        got = run(a.model, tokens, a.family, a.dtype)
        save(a.out, got, tokens)
        print("\n".join(sorted(got)))
    else:
        sys.exit(0 if compare(a.cache, a.reference, a.bound) else 1)
