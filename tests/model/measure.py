"""How near weir must be to PyTorch in float64 and to itself, and what each of the first families must offer."""
import h5py

import reference

BOUND = 5e-5   # to the reference
SAME = 1e-5    # two float32 computations of one thing
KERNELS = 4e-5 # whole passes in another order of summation: each is up to 2e-5 from the truth, as PyTorch's float32 is

COMMON = """embed resid_pre ln1_scale ln1_normalized ln1_out q k v attn_scores pattern z attn_out resid_mid
            ln2_scale ln2_normalized ln2_out mlp_pre mlp_post mlp_out resid_post
            ln_final_scale ln_final_normalized ln_final_out unembed logits""".split()
LLAMA = dict(points=COMMON + ["rot_q", "rot_k", "mlp_pre_linear"], o="model.layers.{}.self_attn.o_proj.weight", o_bias=None,
             centred=False)
# what weir must offer and how the weights are named; a family's row is all a new one needs here
FAMILIES = {
    "gpt2": dict(points=COMMON + ["pos_embed"], o="transformer.h.{}.attn.c_proj.weight",
                 o_bias="transformer.h.{}.attn.c_proj.bias", centred=True),
    "llama": LLAMA,
    "llama3_rope": LLAMA,
    "mistral": LLAMA,
}


def close(a, b, bound=SAME):
    """a equals b by the oracle's measure, row by row"""
    assert a.shape == b.shape
    error = reference.error(a[None], b[None])
    assert error <= bound, f"differs by {error:.2e}, more than {bound:.0e}"


def same_caches(a, b, bound=SAME, prompt_a=0, prompt_b=0):
    assert a.names == b.names
    for name in a.names:
        for layer in a.layers(name):
            x, y = a(name, layer, prompt_a), b(name, layer, prompt_b)
            assert x.shape == y.shape, (name, layer, x.shape, y.shape)
            error = reference.error(x[None], y[None])
            assert error <= bound, f"{name}, layer {layer}: differs by {error:.2e}"


def matches(run, ref, bound=BOUND):
    """every point of the reference file within the bound, a number or a name's (BOUND where the dict has none); else the worst of each kind of point"""
    with h5py.File(ref) as truth:
        found = reference.errors(run.file, truth)
    assert found
    bounds = {name: bound.get(name, BOUND) if isinstance(bound, dict) else bound for name in found}
    wrong = {name: e for name, e in found.items() if e is None or not e <= bounds[name]}
    lines = [f"  {name}: " + ("not in the cache" if e is None else f"error {e:.2e}, more than {bounds[name]:.0e}") for name, e in
             sorted(wrong.items(), key=lambda item: -(item[1] or 9e9))]
    assert not wrong, f"{len(wrong)} of {len(found)} points are off, worst first:\n" + "\n".join(lines)
