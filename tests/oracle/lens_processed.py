"""Weight processing by TransformerLens itself: what its hooks see of the tiny models of tests/model/fixtures once their weights
are processed, and whether the model still predicts the same.

    python tests/oracle/lens_processed.py [FAMILY ...]       fixtures/FAMILY/processed_OPTION.h5, all or those named

in an environment with torch, h5py and transformer-lens 4.3 (TransformerBridge in compatibility mode), which the tests do
without. A file has the points that TransformerLens and weir both name, at ROWS of the prompt, and as the attribute `kept` how far
the processed model's log-probabilities are from the model's own: more than rounding says that TransformerLens's are wrong.
"""
import re
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "model")]

import prompts  # noqa: E402
import reference  # noqa: E402

# of different kinds: LayerNorm with biases and tied embeddings; parallel; one norm for both branches; RMS; RMS with biases
# of q, k, v and grouped heads; norms behind the branches and capped logits. The first two with each option by itself, too
FAMILIES = ("gpt2", "gpt_neox", "gptj", "llama", "qwen2", "gemma2")
ALONE = FAMILIES[:2]
OPTIONS = ("fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases")
LENGTH, ROWS = 12, (0, 7, 11)
SCORES = re.compile(r"hook_attn_scores$")
# what an option changes, of the files of one option
CHANGED = re.compile(r"hook_embed|hook_pos_embed|hook_resid_|ln.*hook_out|attn.hook_[vz]$|hook_attn_out|hook_mlp_out|unembed|logits")
FIXTURES = HERE.parent / "model/fixtures"
POINTS = (HERE.parents[1] / "lib/points/points.def").read_text()


def names():
    """the full names of weir's points, as patterns"""
    for hook, scope in re.findall(r'^POINT\(\w+, "\w+", "([^"]+)", (\w+)', POINTS, re.M):
        yield re.compile((r"blocks\.\d+\." if scope == "BLOCK" else "") + re.escape(hook) + "$")


def run(folder, ids, **process):
    """name -> value of what TransformerLens's hooks see; `process`: its options, none: the model as it is"""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformer_lens.model_bridge import TransformerBridge
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(HERE.parents[1] / "models/rill")     # any
    bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, tokenizer=tokenizer, device="cpu")
    bridge.enable_compatibility_mode(no_processing=not process, **process)
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(torch.tensor([ids]))
    known, got = list(names()), {"logits": logits}
    for name, x in cache.items():
        if any(p.match(name) for p in known) and not re.search(r"hook_(rot_[qk]|[qk]_normed)$", name):  # other shapes there
            got[name] = x[..., 0] if name.endswith("hook_scale") else x
            if SCORES.search(name):                                            # masked by a large negative number, in some
                got[name] = x.masked_fill(x < -1e30, float("-inf"))
    for name in [n for n in got if SCORES.search(n) and torch.equal(got[n], got[n.replace("attn_scores", "pattern")])]:
        got.pop(name)                                                          # GPT-J's bridge: the pattern again
    return {name: x.double().numpy() for name, x in got.items()}


def logprobs(logits):
    import numpy as np
    x = logits - logits.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def make(family):
    folder, ids = FIXTURES / family, prompts.tokens(LENGTH)
    plain = logprobs(run(folder, ids)["logits"])
    for option in ("tl", *(OPTIONS if family in ALONE else ())):
        process = {name: option in ("tl", name) for name in OPTIONS}
        got = run(folder, ids, **process)
        if option != "tl":
            got = {name: x for name, x in got.items() if CHANGED.search(name)}
        kept = float(abs(logprobs(got["logits"]) - plain).max())
        reference.save(folder / f"processed_{option}.h5", got, ids, ROWS, dtype="float32", family=family, kept=kept)
        print(f"{family} {option}: log-probabilities within {kept:.1e}, {len(got)} values")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for each in sys.argv[1:] or FAMILIES:
        make(each)
