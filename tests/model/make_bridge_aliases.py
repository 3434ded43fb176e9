#!/usr/bin/env python3
"""What the names of TransformerLens's bridges mean, measured: tests/cli/data/bridge_aliases.json.

    python tests/model/make_bridge_aliases.py WEIR > tests/cli/data/bridge_aliases.json

in an environment with torch, transformers 5.23, h5py and transformer-lens 4.3 (which the tests do without). Every fixture of this folder
that the bridge can run is run by both; for each alias in points.def the file has the hook points of weir whose values
are TransformerLens's in every layer that has them, to 1e-3. Left out: models that the bridge computes otherwise than
transformers itself (their streams differ already), and aliases that 4.3 does not have there.
"""
import json
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import h5py
import numpy as np
import torch
import transformers
from transformer_lens.model_bridge import TransformerBridge

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
IDS = [5, 7, 9, 2, 5, 11]
DEF = (ROOT / "lib/points/points.def").read_text()
SCOPE = {short: scope for short, scope in re.findall(r'^POINT\(\w+, "(\w+)", "[^"]+", (\w+)', DEF, re.M)}
ALIASES = {hook: SCOPE[short] for short, hook in re.findall(r'^ALIAS\("(\w+)", "([^"]+)"', DEF, re.M)}


def error(got, want):
    """largest difference to the mean size, or None where the shapes are others"""
    got = got[0] if got.ndim > 0 and got.shape[0] == 1 else got
    if got.size != want.size:
        return None
    finite = np.isfinite(want)
    size = max(1e-9, float(np.sqrt(np.mean(want[finite].astype(float) ** 2))))
    return float(np.max(np.abs(np.where(finite, got.reshape(want.shape) - want, 0)))) / size


def meanings(cache, stored, hook, scope):
    layers = [layer for layer in range(99) if f"blocks.{layer}.{hook}" in cache] if scope == "BLOCK" else [None]
    if scope != "BLOCK" and hook not in cache or not layers:
        return None
    found = []
    for name, data in stored.items():
        if SCOPE[name] != scope:
            continue
        pairs = [(cache[f"blocks.{n}.{hook}"] if n is not None else cache[hook], data[n, 0] if n is not None else data[0])
                 for n in layers]
        pairs = [(got, want) for got, want in pairs if np.isfinite(want).any()]
        errors = [error(np.asarray(got.detach().float()), want) for got, want in pairs]
        if errors and all(e is not None and e < 1e-3 for e in errors):
            found.append(name)
    return found


def measure(weir, folder, tokenizer):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, tokenizer=tokenizer, device="cpu")
    with torch.no_grad():
        _, cache = bridge.run_with_cache(torch.tensor([IDS]))
    cache = {name: value for name, value in cache.items() if isinstance(value, torch.Tensor)}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "x.h5"
        subprocess.run([weir, "dump", "-m", folder, "--tokens", ",".join(map(str, IDS)), "--hooks", "*", "-o", out],
                       check=True, capture_output=True)
        with h5py.File(out) as file:
            stored = {name: data[...] for name, data in file["activations"].items()}
    if "resid_post" not in (meanings(cache, stored, "hook_resid_post", "BLOCK") or []):
        return None
    found = {hook: meanings(cache, stored, hook, scope) for hook, scope in ALIASES.items()}
    return {hook: names for hook, names in found.items() if names is not None}


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(ROOT / "models/rill")
    facts = {}
    for folder in sorted(p.parent for p in (HERE / "fixtures").glob("*/config.json")):
        if folder.name.startswith("lens_"):
            continue
        try:
            found = measure(sys.argv[1], folder, tokenizer)
        except Exception as failure:  # the bridge does not run every configuration
            print(f"{folder.name}: {type(failure).__name__}: {failure}"[:150], file=sys.stderr)
            continue
        if found:
            facts[folder.name] = found
    print("{" + ",".join(f"\n{json.dumps(name)}: {json.dumps(found)}" for name, found in facts.items()) + "\n}")


main()
