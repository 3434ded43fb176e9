"""A transformer written out in numpy, float64, with a call at every hook point, for edits that no module of transformers could make.

It knows the families of tests/model/edits.py's oracle: gpt2, gpt_neox, llama, gemma2, qwen3, mixtral. Where nothing is edited it must give
what PyTorch gives in float64 (tests/model/test_edits.py compares it with the references of the fixtures), so what follows an edit is as good.

    model = Model(folder)
    model.run([ids, ...], at)       at(point, layer, values): values[prompt] is that prompt's array; what is written to it takes effect.
                                    Key-value points come a second time as "k.h", [pos, head, d]: the copies that query heads read.
"""
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "model"))
import cache  # noqa: E402


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def gelu(x):
    from math import erf
    return 0.5 * x * (1 + np.vectorize(erf)(x / np.sqrt(2)))


def silu(x):
    return x / (1 + np.exp(-x))


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


class Norm:
    def __init__(self, weight, bias, eps, centred, plus_one=False):
        self.weight, self.bias, self.eps, self.centred = weight + plus_one, bias, eps, centred

    def centre(self, x):
        return x - x.mean(-1, keepdims=True) if self.centred else x

    def scale(self, x):
        return np.sqrt((self.centre(x) ** 2).mean(-1) + self.eps)

    def affine(self, x):
        return x * self.weight + (self.bias if self.bias is not None else 0)

    def __call__(self, x):
        return self.affine(self.centre(x) / self.scale(x)[..., None])


class Model:
    def __init__(self, folder=None, config=None, weights=None):
        """of a folder, or of such a configuration and weights under such names"""
        self.c = c = config or json.loads((Path(folder) / "config.json").read_text())
        self.w = {name: x.astype(np.float64) for name, x in (weights or cache.weights(folder)).items()}
        self.kind = kind = c["model_type"]
        get = lambda *names: next(c[n] for n in names if c.get(n) is not None)
        self.d, self.heads, self.layers = get("hidden_size", "n_embd"), get("num_attention_heads", "n_head"), get("num_hidden_layers", "n_layer")
        self.kv = c.get("num_key_value_heads") or self.heads
        self.d_head = c.get("head_dim") or self.d // self.heads
        self.eps = get("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon")
        self.centred, self.parallel = kind in ("gpt2", "gpt_neox"), kind == "gpt_neox"
        self.act = {"gelu_new": gelu_tanh, "gelu_pytorch_tanh": gelu_tanh, "gelu": gelu, "silu": silu}[get("hidden_activation", "hidden_act", "activation_function")]
        self.post_norm, self.experts = kind == "gemma2", c.get("num_local_experts", 0)
        self.gated = not self.centred
        self.scale = (c.get("query_pre_attn_scalar") or self.d_head) ** -0.5

    def norm(self, name, d=None):
        return Norm(self.w[name + ".weight"], self.w.get(name + ".bias"), self.eps, self.centred, self.kind == "gemma2")

    def linear(self, name, transposed=False):
        w = self.w[name + ".weight"]
        return (w if transposed else w.T), self.w.get(name + ".bias", 0.0)

    def layer(self, i):
        """names -> (weight [in, out], bias) and norms of one block"""
        p = {"gpt2": "transformer.h.", "gpt_neox": "gpt_neox.layers."}.get(self.kind, "model.layers.") + f"{i}."
        heads = lambda w, b, n: (w.reshape(self.d, n, self.d_head), np.broadcast_to(b, n * self.d_head).reshape(n, self.d_head))
        if self.kind == "gpt2":
            w, b = self.linear(p + "attn.c_attn", True)
            qkv = [heads(w[:, at:at + self.d], b[at:at + self.d], self.heads) for at in (0, self.d, 2 * self.d)]
            return dict(qkv=qkv, o=self.linear(p + "attn.c_proj", True), ln1=self.norm(p + "ln_1"), ln2=self.norm(p + "ln_2"),
                        up=self.linear(p + "mlp.c_fc", True), down=self.linear(p + "mlp.c_proj", True))
        if self.kind == "gpt_neox":
            w, b = self.linear(p + "attention.query_key_value")
            w, b = w.reshape(self.d, self.heads, 3, self.d_head), b.reshape(self.heads, 3, self.d_head)
            return dict(qkv=[(w[:, :, j], b[:, j]) for j in range(3)], o=self.linear(p + "attention.dense"),
                        ln1=self.norm(p + "input_layernorm"), ln2=self.norm(p + "post_attention_layernorm"),
                        up=self.linear(p + "mlp.dense_h_to_4h"), down=self.linear(p + "mlp.dense_4h_to_h"))
        a = p + "self_attn."
        l = dict(qkv=[heads(*self.linear(a + x + "_proj"), n) for x, n in (("q", self.heads), ("k", self.kv), ("v", self.kv))],
                 o=self.linear(a + "o_proj"), ln1=self.norm(p + "input_layernorm"))
        if self.kind == "qwen3":
            l.update(q_norm=self.norm(a + "q_norm"), k_norm=self.norm(a + "k_norm"))
        if self.post_norm:
            l.update(ln1_post=self.norm(p + "post_attention_layernorm"), ln2=self.norm(p + "pre_feedforward_layernorm"),
                     ln2_post=self.norm(p + "post_feedforward_layernorm"))
        else:
            l.update(ln2=self.norm(p + "post_attention_layernorm"))
        if self.experts:
            e = p + "block_sparse_moe."
            l.update(router=self.linear(e + "gate"),
                     experts=[[self.linear(f"{e}experts.{j}.w{n}")[0] for n in (1, 3, 2)] for j in range(self.experts)])
        else:
            l.update(gate=self.linear(p + "mlp.gate_proj"), up=self.linear(p + "mlp.up_proj"), down=self.linear(p + "mlp.down_proj"))
        return l

    # ---- the pass ----

    def run(self, prompts, at=lambda point, layer, values: None):
        """every point of every prompt: [{(point, layer): array}], layer None outside blocks"""
        got = [{} for _ in prompts]

        def fire(point, layer, values):
            at(point, layer, values)
            for prompt, x in enumerate(values):
                got[prompt][point, layer] = x.copy()
            return values
        self.fire, self.at = fire, at
        names = {"gpt2": ("transformer.wte", "transformer.ln_f"), "gpt_neox": ("gpt_neox.embed_in", "gpt_neox.final_layer_norm")}
        embed, last = names.get(self.kind, ("model.embed_tokens", "model.norm"))
        x = [self.w[embed + ".weight"][ids] * (np.float64(np.float32(self.d ** 0.5)) if self.kind == "gemma2" else 1) for ids in prompts]
        x = fire("embed", None, x)
        if self.kind == "gpt2":
            pos = fire("pos_embed", None, [self.w["transformer.wpe.weight"][:len(ids)].copy() for ids in prompts])
            x = [a + b for a, b in zip(x, pos)]
        for i in range(self.layers):
            x = self.block(i, self.layer(i), x)
        y = self.norm_points(("ln_final_scale", "ln_final_normalized", "ln_final_out"), None, x, self.norm(last))
        out = {"gpt_neox": "embed_out"}.get(self.kind, "lm_head") + ".weight"
        w = self.w.get(out, self.w[embed + ".weight"])
        y = fire("unembed", None, [a @ w.T for a in y])
        cap = self.c.get("final_logit_softcapping")
        fire("logits", None, [cap * np.tanh(a / cap) if cap else a.copy() for a in y])
        return got

    def norm_points(self, points, i, values, norm):
        scale = self.fire(points[0], i, [norm.scale(x) for x in values])
        middle = self.fire(points[1], i, [norm.centre(x) / s[:, None] for x, s in zip(values, scale)])
        out = [norm.affine(x) for x in middle]
        return self.fire(points[2], i, out) if points[2] else out

    def block(self, i, l, x):
        fire = self.fire
        x = fire("resid_pre", i, [a.copy() for a in x])
        attn = self.attention(i, l, x)
        if not self.parallel:
            x = fire("resid_mid", i, [a + b for a, b in zip(x, attn)])
        out = self.mlp(i, l, x)
        x = [a + b for a, b in zip(x, out)]
        if self.parallel:
            x = [a + b for a, b in zip(x, attn)]
        return fire("resid_post", i, x)

    def own_norm(self, i, values, norm):
        """what the norm gives to heads with copies of their own: head by head, so that the edits of its points come to each"""
        def one(rows):
            scale = [norm.scale(x) for x in rows]
            self.at("ln1_scale", i, scale)
            middle = [norm.centre(x) / s[:, None] for x, s in zip(rows, scale)]
            self.at("ln1_normalized", i, middle)
            out = [norm.affine(x) for x in middle]
            self.at("ln1_out", i, out)
            return out
        heads = [one([x[:, h].copy() for x in values]) for h in range(values[0].shape[1])]
        return [np.stack([head[prompt] for head in heads], 1) for prompt in range(len(values))]

    def inputs(self, point, i, x, per_head, n, common, norm):
        """what each of n heads reads: the common norm's output, or where an edit has changed a head's copy of the stream, a norm of its own.
        A key-value head has the copy of its query heads in attn_in if all of them have the same"""
        def first(a, b):
            copies = b.reshape(len(a), n, -1, a.shape[-1])
            return np.where((copies == copies[:, :, :1]).all((-2, -1))[..., None], copies[:, :, 0], a[:, None])
        copies = self.fire(point, i, [first(a, b) for a, b in zip(x, per_head)])
        changed = [(b != a[:, None]).any(-1) for a, b in zip(x, copies)]
        if not any(c.any() for c in changed):
            return [np.repeat(y[:, None], n, 1) for y in common], copies
        own = self.own_norm(i, copies, norm)
        return [np.where(c[..., None], o, y[:, None]) for c, o, y in zip(changed, own, common)], copies

    def spread(self, point, i, values, stream=None, per_head=None):
        """key-value heads to query heads: the copies that they read, their own of attn_in where that was edited"""
        spread = [np.repeat(a, self.heads // a.shape[1], 1) for a in values]
        if per_head and self.kv < self.heads:
            spread = [np.where((b != x[:, None]).any(-1)[..., None], b, a) for x, b, a in zip(stream, per_head, spread)]
        return self.fire(point + ".h", i, spread)

    def attention(self, i, l, x):
        fire, group = self.fire, self.heads // self.kv
        per_head = fire("attn_in", i, [np.repeat(a[:, None], self.heads, 1) for a in x])
        common = self.norm_points(("ln1_scale", "ln1_normalized", "ln1_out"), i, x, l["ln1"])
        values = {}
        for name, (w, b), n in zip("qkv", l["qkv"], (self.heads, self.kv, self.kv)):
            read, copies = self.inputs(f"{name}_input", i, x, per_head, n, common, l["ln1"])
            values[name] = fire(name, i, [np.einsum("phd,dhe->phe", a, w) + b for a in read])
            if name != "q":                  # the same once more for query heads that read a copy of their own
                spread_in = self.spread(f"{name}_input", i, copies, x, per_head)
                w, b = np.repeat(w, self.heads // n, 1), np.repeat(b, self.heads // n, 0)
                changed = [(a != np.repeat(c, self.heads // n, 1)).any(-1) for a, c in zip(spread_in, copies)]
                own = [np.einsum("phd,dhe->phe", a, w) + b for a in (self.own_norm(i, spread_in, l["ln1"]) if any(c.any() for c in changed) else spread_in)]
                spread = [np.where(c[..., None], o, np.repeat(v, self.heads // n, 1)) for c, o, v in zip(changed, own, values[name])]
                values[name + ".h"] = fire(name + ".h", i, spread)
        q, k, kh, vh = values["q"], values["k"], values["k.h"], values["v.h"]
        if "q_norm" in l:
            q = fire("q_normed", i, [l["q_norm"](a) for a in q])
            before = [np.repeat(a, group, 1) for a in k]
            k = fire("k_normed", i, [l["k_norm"](a) for a in k])
            kh = [np.where((a != b).any(-1)[..., None], l["k_norm"](a), np.repeat(c, group, 1)) for a, b, c in zip(kh, before, k)]
            kh = fire("k_normed.h", i, kh)
        if self.kind != "gpt2":
            before = [np.repeat(a, group, 1) for a in k]
            q = fire("rot_q", i, [self.rotate(a) for a in q])
            k = fire("rot_k", i, [self.rotate(a) for a in k])
            kh = [np.where((a != b).any(-1)[..., None], self.rotate(a), np.repeat(c, group, 1)) for a, b, c in zip(kh, before, k)]
            kh = fire("rot_k.h", i, kh)
        scores = fire("attn_scores", i, [self.scores(i, a, b) for a, b in zip(q, kh)])
        pattern = fire("pattern", i, [softmax(a) for a in scores])
        z = fire("z", i, [np.einsum("hqk,khd->qhd", a, v) for a, v in zip(pattern, vh)])
        w, b = l["o"]
        result = fire("result", i, [np.einsum("phd,hdm->phm", a, w.reshape(self.heads, self.d_head, self.d)) for a in z])
        out = [a.sum(1) + b for a in result]
        if self.post_norm:
            out = self.norm_points(("ln1_post_scale", "ln1_post_normalized", None), i, out, l["ln1_post"])
        return fire("attn_out", i, out)

    def rotate(self, x):
        rope = self.c["rope_parameters"]
        n = int(self.d_head * rope.get("partial_rotary_factor", 1.0))
        angle = np.arange(len(x))[:, None] * rope["rope_theta"] ** (-np.arange(0, n, 2) / n)
        cos, sin, half = np.cos(angle)[:, None], np.sin(angle)[:, None], (n + 1) // 2
        a, b = x[..., :half], x[..., half:2 * half]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin, x[..., 2 * half:]], -1)

    def scores(self, i, q, k):
        s = np.einsum("qhd,khd->hqk", q, k) * self.scale
        cap = self.c.get("attn_logit_softcapping")
        if cap:
            s = cap * np.tanh(s / cap)
        n = len(q)
        seen = np.tril(np.ones((n, n), bool))
        if self.c.get("layer_types", [""] * self.layers)[i] == "sliding_attention":
            seen &= ~np.tril(np.ones((n, n), bool), -self.c["sliding_window"])
        return np.where(seen, s, -np.inf)

    def mlp(self, i, l, x):
        fire = self.fire
        x = fire("mlp_in", i, [a.copy() for a in x])
        x = self.norm_points(("ln2_scale", "ln2_normalized", "ln2_out"), i, x, l["ln2"])
        if self.experts:
            return fire("mlp_out", i, self.sparse(i, l, x))
        w, b = l["gate" if self.gated else "up"]
        pre = fire("mlp_pre", i, [a @ w + b for a in x])
        post = [self.act(a) for a in pre]
        if self.gated:
            w, b = l["up"]
            linear = fire("mlp_pre_linear", i, [a @ w + b for a in x])
            post = [a * b for a, b in zip(post, linear)]
        post = fire("mlp_post", i, post)
        w, b = l["down"]
        out = [a @ w + b for a in post]
        if self.post_norm:
            out = self.norm_points(("ln2_post_scale", "ln2_post_normalized", None), i, out, l["ln2_post"])
        return fire("mlp_out", i, out)

    def sparse(self, i, l, x):
        fire, k = self.fire, self.c["num_experts_per_tok"]
        router = fire("router", i, [a @ l["router"][0] for a in x])
        chosen, weights = [], []
        for a in router:
            p = softmax(a)
            top = np.argsort(-p, -1, kind="stable")[:, :k]
            kept = np.take_along_axis(p, top, -1)
            w = np.zeros_like(p)
            np.put_along_axis(w, top, kept / kept.sum(-1, keepdims=True), -1)
            chosen.append(top.astype(np.float64))
            weights.append(w)
        weights = fire("expert_weights", i, weights)
        chosen = fire("expert_indices", i, chosen)
        pick = lambda part: [np.stack([np.stack([row @ l["experts"][int(e)][part] if e >= 0 else np.zeros(l["experts"][0][part].shape[1])
                                                 for e in es]) for row, es in zip(a, c)]) for a, c in zip(x, chosen)]
        pre = fire("expert_pre", i, pick(0))
        linear = fire("expert_pre_linear", i, pick(1))
        post = fire("expert_post", i, [self.act(a) * b for a, b in zip(pre, linear)])
        return [np.stack([sum(w[int(e)] * (row @ l["experts"][int(e)][2]) for row, e in zip(rows, es) if e >= 0)
                          for rows, es, w in zip(p, c, ws)]) for p, c, ws in zip(post, chosen, weights)]
