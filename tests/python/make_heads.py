#!/usr/bin/env python3
"""What TransformerLens's own head detector says of patterns that weir stored, for test_heads.py:

    script/oracle tests/python/make_heads.py            # data/heads.h5 (by weir dump), heads.npy and heads.json
    script/oracle tests/python/make_heads.py FILE.h5    # prints the scores of that file as JSON

The detector is transformer_lens.head_detector.detect_head as it is installed, given a cache of the stored patterns: the
same of 3.9.0 and 4.3.0.
"""
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
MODEL = HERE.parent / "model/fixtures/gpt2"
PROMPTS = [[5, 7, 9, 11, 13, 5, 7, 9, 11, 13, 2, 2], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], [1, 2, 1, 2, 1, 2, 1]]
NAMES = {"previous": "previous_token_head", "duplicate": "duplicate_token_head", "induction": "induction_head"}
FLAGS = {"exclude_bos": "--exclude-bos", "exclude_current_token": "--exclude-current-token"}


def matrix(n):
    """a detection pattern that is nobody's: half to the middle, a quarter to the first, none from every third query"""
    wanted = np.zeros((n, n), "f4")
    for query in range(n):
        if query % 3 != 2:
            wanted[query, query // 2] += 0.5
            wanted[query, 0] += 0.25
    return wanted


def read(path):
    """ids and patterns [layer, head, query, key] of each prompt"""
    import h5py
    with h5py.File(path) as file:
        lengths = file["prompts/length"][()]
        patterns = file["activations/pattern"][()].astype("f4")
        for i, n in enumerate(lengths):
            yield file["tokens/id"][i, :n], patterns[:, i, :, :n, :n]


def detect(ids, patterns, detection, **options):
    """the scores [layer, head] of one prompt"""
    import torch
    from transformer_lens import ActivationCache
    from transformer_lens.head_detector import detect_head
    n_layers, n_heads = patterns.shape[:2]
    cfg = SimpleNamespace(device="cpu", n_ctx=10**6, n_layers=n_layers, n_heads=n_heads, dtype=torch.float32)
    model = SimpleNamespace(cfg=cfg, to_tokens=lambda text: torch.tensor(np.array(ids, "i8"))[None])
    # a copy each time: 3.9.0 excludes in place
    cache = ActivationCache({f"blocks.{i}.attn.hook_pattern": torch.tensor(patterns[i].copy()) for i in range(n_layers)},
                            model, has_batch_dim=False)
    return detect_head(model, "", detection, cache=cache, **options).double().numpy()


def scores(prompts, detections):
    """for every combination of flags, every pattern and measure: mean over prompts"""
    for bits in range(4):
        on = {name: bool(bits >> i & 1) for i, name in enumerate(FLAGS)}
        found = {f"{short}_{measure}": np.mean([detect(*prompt, detection, error_measure=measure, **on)
                                                for prompt in prompts], axis=0).tolist()
                 for short, detection in detections.items() for measure in ("mul", "abs")}
        yield {"flags": [FLAGS[name] for name in FLAGS if on[name]], "scores": found}


def of_file(path):
    prompts = list(read(path))
    return list(scores(prompts, NAMES))


def of_matrix(path):
    """of the first two prompts, which are as long as the matrix"""
    import torch
    prompts = list(read(path))[:2]
    return list(scores(prompts, {"detect": torch.tensor(matrix(len(prompts[0][0])))}))


def main():
    if len(sys.argv) > 1:
        json.dump(of_file(sys.argv[1]), sys.stdout)
        return
    DATA.mkdir(exist_ok=True)
    weir = os.environ.get("WEIR", HERE.parents[1] / "build/cli/weir")
    tokens = [word for ids in PROMPTS for word in ("--tokens", ",".join(map(str, ids)))]
    subprocess.run([weir, "dump", "-m", MODEL, *tokens, "--hooks", "pattern", "--force", "-o", DATA / "heads.h5"], check=True)
    np.save(DATA / "heads.npy", matrix(len(PROMPTS[0])))
    expected = {"transformer_lens": importlib.metadata.version("transformer_lens"),
                "named": of_file(DATA / "heads.h5"), "matrix": of_matrix(DATA / "heads.h5")}
    (DATA / "heads.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
