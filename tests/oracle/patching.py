"""What TransformerLens's own patching functions give on small random models: tests/model/fixtures/patch_*.h5.

    python tests/oracle/patching.py gpt2 llama

in an environment with torch, transformers, h5py and transformer-lens 4.3. A file has one dataset per point and kind of
grid, [cells ..., pair], by denoising: the corrupt prompt runs, the clean one's value is put in. The metric is logit
answer less logit wrong at the last position. `baseline` is [clean or corrupt, pair].
"""
import json
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import torch
import transformers
from transformer_lens import patching
from transformer_lens.model_bridge import TransformerBridge

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/model/fixtures"
PAIRS = [dict(clean=[5, 7, 9, 2, 5, 11, 60], corrupt=[5, 90, 9, 2, 31, 11, 60], answer=17, wrong=44),
         dict(clean=[101, 3, 3, 150, 8, 77, 20], corrupt=[101, 3, 66, 150, 8, 12, 20], answer=5, wrong=199)]
GRIDS = {"resid_pre.position": patching.get_act_patch_resid_pre, "resid_mid.position": patching.get_act_patch_resid_mid,
         "attn_out.position": patching.get_act_patch_attn_out, "mlp_out.position": patching.get_act_patch_mlp_out,
         "z.head": patching.get_act_patch_attn_head_out_all_pos, "q.head": patching.get_act_patch_attn_head_q_all_pos,
         "k.head": patching.get_act_patch_attn_head_k_all_pos, "v.head": patching.get_act_patch_attn_head_v_all_pos,
         "pattern.head": patching.get_act_patch_attn_head_pattern_all_pos,
         "z.head-position": patching.get_act_patch_attn_head_out_by_pos,
         "q.head-position": patching.get_act_patch_attn_head_q_by_pos,
         "k.head-position": patching.get_act_patch_attn_head_k_by_pos,
         "v.head-position": patching.get_act_patch_attn_head_v_by_pos,
         "pattern.query": patching.get_act_patch_attn_head_pattern_by_pos,
         "pattern.cell": patching.get_act_patch_attn_head_pattern_dest_src_pos}


def boot(name):
    folder = FIXTURES / name
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(ROOT / "models/rill")
    bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, tokenizer=tokenizer, device="cpu")
    bridge.enable_compatibility_mode(no_processing=True)
    return bridge


def measure(name):
    model = boot(name)
    clean, corrupt = (torch.tensor([pair[side] for pair in PAIRS]) for side in ("clean", "corrupt"))
    answer, wrong = (torch.tensor([pair[key] for pair in PAIRS]) for key in ("answer", "wrong"))
    row = torch.arange(len(PAIRS))

    def metric(logits):
        return logits[row, -1, answer] - logits[row, -1, wrong]

    with torch.no_grad():
        logits, cache = model.run_with_cache(clean)
        found = {"baseline": np.stack([metric(x).numpy() for x in (logits, model(corrupt))])}
        for grid, function in GRIDS.items():
            values = function(model, corrupt, cache, metric, reduce="none").values.numpy()
            if grid == "pattern.query" and values.shape[1] == len(PAIRS[0]["clean"]):
                values = values.swapaxes(1, 2)      # [layer, pos, head, pair] there
            found[grid] = values
    return found


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)                   # the models are tiny
    for name in sys.argv[1:]:
        with h5py.File(FIXTURES / f"patch_{name}.h5", "w") as file:
            file.attrs["pairs"] = json.dumps(PAIRS)
            for grid, values in measure(name).items():
                file.create_dataset(grid, data=values.astype(np.float32))
                print(name, grid, values.shape, float(np.abs(values - found_base(file, values)).max()))


def found_base(file, values):
    """the metric without a patch: of the corrupt prompt"""
    return file["baseline"][1]


if __name__ == "__main__":
    main()
