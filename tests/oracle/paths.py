"""Path patching and edge ablation on small random models, in float64, by a forward pass written for it: every head's query,
key and value reads a copy of the stream of its own, and every writer's part of the stream is known.

    python tests/oracle/paths.py gpt2 llama gemma2 gpt_neox           makes tests/model/fixtures/paths_*.h5
    python tests/oracle/paths.py --lens gpt2 llama                    and lens_paths_*.h5, by TransformerLens 4.3

A file has one dataset per case, [layer, unit, pair] with NaN where no path leads, or [circuit, pair]; its attributes are
options of weir patch. The first needs torch and transformers, the second an environment with transformer-lens 4.3 too.
"""
import itertools
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/model/fixtures"
PAIRS = [dict(clean=[5, 7, 9, 2, 5, 11, 60], corrupt=[5, 90, 9, 2, 31, 11, 60], answer=17, wrong=44),
         dict(clean=[101, 3, 3, 150, 8, 77, 20], corrupt=[101, 3, 66, 150, 8, 12, 20], answer=5, wrong=199)]
FROZEN = [("resid_post:-1", False), ("resid_post:-1", True), ("q:2", False), ("k:2.0", False), ("v:2.h3", True), ("q:1.2,v:2", False),
          ("mlp_in:2", False), ("q_input:2.1,k_input:2.h3", False), ("z:2.1", False), ("q:2@-1,mlp_in:1", False)]
DIRECT = ["q_input:2.1", "k_input:2.h3", "v_input:2.0", "q_input:1,mlp_in:2", "resid_post:-1", "resid_pre:2", "q_input:2@-1"]


# ---- the model ----

def layer_norm(x, weight, bias, eps):
    x = x - x.mean(-1, keepdim=True)
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight + bias


def rms_norm(x, weight, eps):
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def gelu_tanh(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


class Net:
    """a model of a folder: norms, projections by head (keys and values repeated for each query head), activations"""

    def __init__(self, folder):
        from transformers import AutoConfig, AutoModelForCausalLM
        c = self.config = AutoConfig.from_pretrained(folder)
        self.kind = c.model_type
        self.w = {k: v.double() for k, v in AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict().items()}
        self.layers, self.heads = c.num_hidden_layers, c.num_attention_heads
        self.kv = getattr(c, "num_key_value_heads", None) or self.heads
        self.parallel = self.kind == "gpt_neox"
        self.d_head = getattr(c, "head_dim", None) or c.hidden_size // self.heads
        self.eps = getattr(c, "rms_norm_eps", None) or getattr(c, "layer_norm_epsilon", None) or c.layer_norm_eps

    def p(self, name):
        return self.w[name]

    def norm(self, x, name):
        weight = self.p(name + ".weight")
        if self.kind in ("gpt2", "gpt_neox"):
            return layer_norm(x, weight, self.p(name + ".bias"), self.eps)
        return rms_norm(x, 1 + weight if self.kind == "gemma2" else weight, self.eps)

    def block(self, layer):
        return {"gpt2": "transformer.h", "gpt_neox": "gpt_neox.layers"}.get(self.kind, "model.layers") + f".{layer}."

    def qkv(self, layer):
        """three of (W [heads, d_model, d_head], b [heads, d_head])"""
        b, h, d = self.block(layer), self.heads, self.d_head
        if self.kind == "gpt2":
            w, bias = self.p(b + "attn.c_attn.weight").T, self.p(b + "attn.c_attn.bias")
            w, bias = w.reshape(3, h, d, -1), bias.reshape(3, h, d)
        elif self.kind == "gpt_neox":
            w, bias = self.p(b + "attention.query_key_value.weight"), self.p(b + "attention.query_key_value.bias")
            w, bias = w.reshape(h, 3, d, -1).transpose(0, 1), bias.reshape(h, 3, d).transpose(0, 1)
        else:
            each = [self.p(b + f"self_attn.{x}_proj.weight").reshape(-1, d, self.config.hidden_size) for x in "qkv"]
            w = [x.repeat_interleave(h // len(x), 0) for x in each]
            bias = [torch.zeros(h, d, dtype=torch.float64)] * 3
        return [(w[i].transpose(-1, -2), bias[i]) for i in range(3)]

    def out(self, layer):
        """W_O [heads, d_head, d_model], b_O"""
        b = self.block(layer)
        if self.kind == "gpt2":
            w, bias = self.p(b + "attn.c_proj.weight"), self.p(b + "attn.c_proj.bias")
        elif self.kind == "gpt_neox":
            w, bias = self.p(b + "attention.dense.weight").T, self.p(b + "attention.dense.bias")
        else:
            w, bias = self.p(b + "self_attn.o_proj.weight").T, torch.zeros(self.config.hidden_size, dtype=torch.float64)
        return w.reshape(self.heads, self.d_head, -1), bias

    def ln(self, layer, which):
        names = {"gpt2": ("ln_1", "ln_2"), "gemma2": ("input_layernorm", "pre_feedforward_layernorm")}
        return self.block(layer) + names.get(self.kind, ("input_layernorm", "post_attention_layernorm"))[which]

    def rotate(self, x):
        """x [pos, heads, d_head]"""
        if self.kind == "gpt2":
            return x
        rope = getattr(self.config, "rope_parameters", None) or {}
        n = int(self.d_head * (rope.get("partial_rotary_factor") or 1))
        speed = float(rope["rope_theta"]) ** (-torch.arange(0, n, 2, dtype=torch.float64) / n)
        n = 2 * len(speed)                     # of an odd number of dimensions one more turns
        angle = torch.arange(len(x), dtype=torch.float64)[:, None] * speed
        cos, sin = angle.cos()[:, None], angle.sin()[:, None]
        a, b, rest = x[..., :n // 2], x[..., n // 2:n], x[..., n:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)

    def attend(self, q, k, v, layer):
        scale = self.config.query_pre_attn_scalar ** -0.5 if self.kind == "gemma2" else self.d_head ** -0.5
        scores = torch.einsum("qhd,khd->hqk", self.rotate(q), self.rotate(k)) * scale
        if self.kind == "gemma2":
            cap = self.config.attn_logit_softcapping
            scores = (scores / cap).tanh() * cap
        n = len(q)
        seen = torch.ones(n, n).tril().bool()
        if self.kind == "gemma2" and self.config.layer_types[layer] == "sliding_attention":
            seen &= ~torch.ones(n, n).tril(-self.config.sliding_window).bool()
        return torch.einsum("hqk,khd->qhd", scores.masked_fill(~seen, float("-inf")).softmax(-1), v)

    def finish_attention(self, x, layer):
        """what is added to the stream, of the sum over heads"""
        x = x + self.out(layer)[1]
        return self.norm(x, self.block(layer) + "post_attention_layernorm") if self.kind == "gemma2" else x

    def mlp(self, x, layer):
        b = self.block(layer)
        if self.kind == "gpt2":
            x = gelu_tanh(x @ self.p(b + "mlp.c_fc.weight") + self.p(b + "mlp.c_fc.bias"))
            return x @ self.p(b + "mlp.c_proj.weight") + self.p(b + "mlp.c_proj.bias")
        if self.kind == "gpt_neox":
            x = torch.nn.functional.gelu(x @ self.p(b + "mlp.dense_h_to_4h.weight").T + self.p(b + "mlp.dense_h_to_4h.bias"))
            return x @ self.p(b + "mlp.dense_4h_to_h.weight").T + self.p(b + "mlp.dense_4h_to_h.bias")
        act = gelu_tanh if self.kind == "gemma2" else torch.nn.functional.silu
        gate, up = (x @ self.p(b + f"mlp.{name}_proj.weight").T for name in ("gate", "up"))
        x = (act(gate) * up) @ self.p(b + "mlp.down_proj.weight").T
        return self.norm(x, b + "post_feedforward_layernorm") if self.kind == "gemma2" else x

    def embed(self, tokens):
        ids = torch.tensor(tokens)
        if self.kind == "gpt2":
            return self.p("transformer.wte.weight")[ids] + self.p("transformer.wpe.weight")[:len(ids)]
        if self.kind == "gpt_neox":
            return self.p("gpt_neox.embed_in.weight")[ids]
        x = self.p("model.embed_tokens.weight")[ids]
        return x * self.config.hidden_size ** 0.5 if self.kind == "gemma2" else x

    def unembed(self, x):
        last = {"gpt2": "transformer.ln_f", "gpt_neox": "gpt_neox.final_layer_norm"}.get(self.kind, "model.norm")
        w = self.w.get("embed_out.weight", self.w.get("lm_head.weight"))
        x = self.norm(x, last) @ w.T
        cap = getattr(self.config, "final_logit_softcapping", None)
        return (x / cap).tanh() * cap if cap else x

    def run(self, tokens, change=lambda point, layer, value: value):
        """-> (logits, {(point, layer): value}); `change` gives what goes on in the place of a value"""
        seen = {}

        def at(point, layer, value):
            seen[point, layer] = change(point, layer, value)
            return seen[point, layer]

        stream = at("embed", -1, self.embed(tokens))
        for layer in range(self.layers):
            stream = at("resid_pre", layer, stream)
            made = []
            for name, (w, bias) in zip("qkv", self.qkv(layer)):
                copies = at(name + "_input", layer, stream[:, None].repeat(1, self.heads, 1))
                made.append(at(name, layer, torch.einsum("phd,hde->phe", self.norm(copies, self.ln(layer, 0)), w) + bias))
            z = at("z", layer, self.attend(*made, layer))
            result = at("result", layer, torch.einsum("phe,hed->phd", z, self.out(layer)[0]))
            attn_out = at("attn_out", layer, self.finish_attention(result.sum(1), layer))
            mid = stream if self.parallel else stream + attn_out
            mlp_out = at("mlp_out", layer, self.mlp(self.norm(at("mlp_in", layer, mid), self.ln(layer, 1)), layer))
            stream = at("resid_post", layer, stream + attn_out + mlp_out)
        return self.unembed(stream), seen


# ---- paths ----

def receivers(net, text):
    """[(point, layer, heads or None, rows)] of a list such as "q:1.2,k:2.0,v:2.h3,resid_post:-1,q:2@-1": query heads"""
    out = []
    for term in text.split(","):
        term, _, row = term.partition("@")
        point, rest = term.split(":")
        layer, _, unit = rest.partition(".")
        shared = net.heads // net.kv
        heads = [int(unit[1:])] if unit[:1] == "h" else [int(unit)] if unit else None
        if unit and unit[0] != "h" and point[0] in "kv":
            heads = [int(unit) * shared + i for i in range(shared)]
        out.append((point, range(net.layers)[int(layer)], heads, slice(int(row), None) if row else slice(None)))
    return out


def comes_before(net, sender, receiver):
    """does what the sender (point, layer) writes reach what the receiver reads"""
    (point, layer), (to, at) = sender, receiver[:2]
    place = dict(resid_pre=0, q_input=1, k_input=1, v_input=1, q=1, k=1, v=1, z=1, mlp_in=3, resid_post=5)[to]
    written = 4 if point == "mlp_out" or net.parallel else 2
    return (at, place) > (layer, written)


def put(value, heads, rows, new):
    value = value.clone()
    if heads is None:
        value[rows] = new[rows]
    else:
        value[rows, heads] = new[rows, heads]
    return value


def patched(net, tokens, kept, source, sender, unit, ends, direct, mlps):
    """logits of the prompt `tokens`, whose own values are `kept`"""
    point, layer = sender
    ends = [end for end in ends if comes_before(net, sender, end)]
    if not ends:
        return None

    def send(value):
        value = value.clone()
        index = (slice(None), unit) if point == "z" else unit
        value[index] = source[sender][index]
        return value

    would_be = {}

    def first(name, at, value):
        would_be[name, at] = value
        if not direct and name == "z" or mlps and name == "mlp_out":
            value = kept[name, at]
        return send(value) if (name, at) == sender else value

    _, seen = net.run(tokens, first)
    written = ("attn_out" if point == "z" else point, layer)

    def second(name, at, value):
        for to, where, heads, rows in ends:
            if (to, where) != (name, at):
                continue
            delta = seen[written] - kept[written]
            new = would_be[name, at] if not direct else value + (delta[:, None] if value.dim() == 3 else delta)
            value = put(value, heads, rows, new)
        return value

    return net.run(tokens, second)[0]


def sweep(net, kept, point, ends, direct=False, mlps=False):
    """[layer, head or position, pair]: denoising"""
    units = net.heads if point == "z" else len(PAIRS[0]["clean"])
    out = np.full((net.layers, units, len(PAIRS)), np.nan)
    for layer, unit, (i, pair) in itertools.product(range(net.layers), range(units), enumerate(PAIRS)):
        logits = patched(net, pair["corrupt"], kept[i]["corrupt"], kept[i]["clean"], (point, layer), unit, receivers(net, ends), direct, mlps)
        if logits is not None:
            out[layer, unit, i] = difference(logits, pair)
    return out


def difference(logits, pair):
    return float(logits[-1, pair["answer"]] - logits[-1, pair["wrong"]])


# ---- circuits ----

def edges_of(net):
    """names of all edges as EAP-IG has them"""
    written, names = ["input"], []
    for layer in range(net.layers):
        heads = [f"a{layer}.h{head}" for head in range(net.heads)]
        names += [f"{writer}->{head}<{x}>" for head in heads for x in "qkv" for writer in written]
        names += [f"{writer}->m{layer}" for writer in written + heads * (not net.parallel)]
        written += [*heads, f"m{layer}"]
    return names + [f"{writer}->logits" for writer in written]


def written_by(net, seen):
    """{writer: [pos, d_model]} of what has been written: heads before any norm of their sum"""
    out = {"input": seen["embed", -1]}
    for at in range(net.layers):
        out.update({f"a{at}.h{head}": seen["result", at][:, head] for head in range(net.heads) if ("result", at) in seen})
        if ("mlp_out", at) in seen:
            out[f"m{at}"] = seen["mlp_out", at]
    return out


def stream_of(net, writes, before):
    """the stream of what writers write"""
    total = sum(writes[writer] for writer in before if writer[0] != "a")
    for layer in range(net.layers):
        heads = [writes[writer] for writer in before if writer.startswith(f"a{layer}.")]
        if heads:
            total = total + net.finish_attention(sum(heads), layer)
    return total


def circuit_logits(net, tokens, corrupt, inside):
    """every reader's stream is made anew: of what writers in the circuit write in this pass, and others in the corrupt prompt"""
    seen, other = {}, written_by(net, corrupt)

    def read(names):
        """`names`: of the edges to one reader"""
        now, before = written_by(net, seen), [name.split("->")[0] for name in names]
        return stream_of(net, {writer: (now if name in inside else other)[writer] for name, writer in zip(names, before)}, before)

    every = {}
    for name in edges_of(net):
        every.setdefault(name.split("->")[1], []).append(name)

    def change(point, layer, value):
        if point in ("q_input", "k_input", "v_input"):
            value = torch.stack([read(every[f"a{layer}.h{head}<{point[0]}>"]) for head in range(net.heads)], 1)
        elif point == "mlp_in":
            value = read(every[f"m{layer}"])
        elif point == "resid_post" and layer == net.layers - 1:
            value = read(every["logits"])
        seen[point, layer] = value
        return value

    return net.run(tokens, change)[0]


def circuits(net):
    """sets of edges: none, all, and drawn ones, few and many"""
    rng, names = np.random.default_rng(7), edges_of(net)
    drawn = [[name for name in names if rng.random() < part] for part in (0.05, 0.3, 0.7, 0.97)]
    return [[], names, *drawn, [name for name in names if "->logits" in name], [name for name in names if "<k>" in name or "->m" in name]]


def make_circuits(net, kept, file):
    """circuits/edges: JSON; circuits/values [circuit, pair]"""
    sets, group = circuits(net), file.create_group("circuits")
    group["edges"] = [json.dumps(edges) for edges in sets]
    group["values"] = [[difference(circuit_logits(net, pair["clean"], kept[i]["corrupt"], set(edges)), pair) for i, pair in enumerate(PAIRS)]
                       for edges in sets]
    group["names"] = json.dumps(edges_of(net))
    print(group["values"][...])


# ---- files ----

def check_forward(net, folder):
    """against the references of tests/model/make.py"""
    for path in sorted(folder.glob("ref_*.h5")):
        with h5py.File(path) as ref:
            logits, _ = net.run(ref["tokens"][...].reshape(-1).tolist())
            want = next(x for x in ref["activations"].values() if x.attrs["hook_name"] == "logits")[0]
            assert np.abs(logits.numpy()[ref["rows"][...]] - want).max() < 1e-5 * np.abs(want).max(), path


def make(name):
    net = Net(FIXTURES / name)
    check_forward(net, FIXTURES / name)
    kept = [{side: net.run(pair[side])[1] for side in ("clean", "corrupt")} for pair in PAIRS]
    cases = [(ends, False, mlps) for ends, mlps in FROZEN] + [(ends, True, False) for ends in DIRECT]
    with h5py.File(FIXTURES / f"paths_{name}.h5", "w") as file:
        file.attrs["pairs"] = json.dumps(PAIRS)
        for (ends, direct, mlps), point in itertools.product(cases, ("z", "mlp_out")):
            values = sweep(net, kept, point, ends, direct, mlps)
            data = file.create_dataset(f"{len(file)}", data=values)
            data.attrs.update(at=point, to=ends, path="direct" if direct else "frozen", freeze_mlps=mlps)
            print(name, point, ends, direct, mlps, np.isnan(values).sum(), np.nanstd(values))
        make_circuits(net, kept, file)


def make_lens(name):
    """TransformerLens's direct paths: [source layer, source head, layer, head, pair] of q, k and v; NaN where it has none"""
    from patching import boot
    from transformer_lens import patching
    model = boot(name)
    with h5py.File(FIXTURES / f"lens_paths_{name}.h5", "w") as file, torch.no_grad():
        file.attrs["pairs"] = json.dumps(PAIRS)
        for component in "q" if model.cfg.n_key_value_heads not in (None, model.cfg.n_heads) else "qkv":
            grids = []
            for pair in PAIRS:
                clean, corrupt = (torch.tensor([pair[side]]) for side in ("clean", "corrupt"))
                caches = [model.run_with_cache(tokens)[1] for tokens in (clean, corrupt)]
                grid = patching.get_act_patch_direct_path_all_sources(model, corrupt, *caches, lambda x: torch.tensor(difference(x[0], pair)),
                                                                      component=component, verbose=False).numpy()
                for layer in range(model.cfg.n_layers):
                    grid[layer, :, :layer + 1] = np.nan
                grids.append(grid)
            file[component] = np.stack(grids, -1)
            print(name, component, np.nanstd(file[component]))


def main():
    torch.set_num_threads(1)                   # the models are tiny
    with torch.no_grad():
        for name in sys.argv[1:]:
            if name != "--lens":
                (make_lens if "--lens" in sys.argv else make)(name)


main()
