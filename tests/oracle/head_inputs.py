"""What TransformerLens's copies of the stream do in a small random model whose query heads share keys and values: tests/model/fixtures/head_inputs_llama.h5.

    python tests/oracle/head_inputs.py

in an environment with torch, transformers, h5py and transformer-lens 4.3. A dataset per edit, [prompt, pos, head, d_head], is `z` of layer 1
after 0.4 was added to some heads' copies at positions 4 to 6: of attn_in (use_attn_in), or of q_input, k_input, v_input
(use_split_qkv_input). TransformerLens lets key-value head j read the copy of query head j, whichever heads share it; so edits of attn_in are
taken of all heads alike, and of single heads in the same model with keys and values repeated for each query head, `ungrouped`.
"""
import copy
import sys
from pathlib import Path

import h5py
import torch
import transformers
from transformer_lens.model_bridge import TransformerBridge

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "model"))
import prompts  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/model/fixtures"
LAYER, ROWS, BY = 1, slice(4, 7), 0.4
PROMPTS = [prompts.tokens(23), prompts.tokens(23, seed=6)]
# name -> which model, which point, which heads
EDITS = {"attn_in": ("grouped", "attn_in", slice(None)), "attn_in.0": ("ungrouped", "attn_in", 0), "attn_in.1": ("ungrouped", "attn_in", 1),
         "attn_in.4": ("ungrouped", "attn_in", 4), "attn_in.3:6": ("ungrouped", "attn_in", slice(3, 6)),
         "q_input.1": ("grouped", "q_input", 1), "k_input.1": ("grouped", "k_input", 1), "v_input.0": ("grouped", "v_input", 0),
         "k_input.h4": ("ungrouped", "k_input", 4), "v_input.h4": ("ungrouped", "v_input", 4)}


def ungroup(model):
    """the same model with as many key-value heads as query heads"""
    c = copy.deepcopy(model.config)
    group, d = c.num_attention_heads // c.num_key_value_heads, model.model.layers[0].self_attn.head_dim
    c.num_key_value_heads, state = c.num_attention_heads, model.state_dict()
    for name, w in state.items():
        if "k_proj" in name or "v_proj" in name:
            state[name] = w.reshape(-1, d, *w.shape[1:]).repeat_interleave(group, 0).reshape(-1, *w.shape[1:])
    other = type(model)(c).to(torch.float64).eval()
    other.load_state_dict(state)
    return other


def boot(model):
    bridge = TransformerBridge.boot_transformers(str(FIXTURES / "llama"), hf_model=model, device="cpu", dtype=torch.float64,
                                                 tokenizer=transformers.AutoTokenizer.from_pretrained(ROOT / "models/rill"))
    bridge.enable_compatibility_mode(no_processing=True)
    return bridge


def edited(bridge, point, heads):
    use = bridge.set_use_attn_in if point == "attn_in" else bridge.set_use_split_qkv_input
    use(True)
    got = []

    def add(x, hook):
        x[:, ROWS, heads] += BY
        return x
    with torch.no_grad():
        bridge.run_with_hooks(torch.tensor(PROMPTS), fwd_hooks=[(f"blocks.{LAYER}.hook_{point}", add),
                                                                 (f"blocks.{LAYER}.attn.hook_z", lambda x, hook: got.append(x.clone()))])
    use(False)
    z, = got
    return z.reshape(len(PROMPTS), len(PROMPTS[0]), bridge.cfg.n_heads, -1).double().numpy()


def main():
    model = transformers.AutoModelForCausalLM.from_pretrained(FIXTURES / "llama", dtype=torch.float64, attn_implementation="eager").eval()
    bridges = {"ungrouped": boot(ungroup(model)), "grouped": boot(model)}
    with h5py.File(FIXTURES / "head_inputs_llama.h5", "w") as f:
        for name, (which, point, heads) in EDITS.items():
            f.create_dataset(name, data=edited(bridges[which], point, heads).astype("f4"), compression="gzip")


if __name__ == "__main__":
    main()
