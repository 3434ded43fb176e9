#!/usr/bin/env python3
"""Regenerates the fixtures: a tiny random model of each family and what PyTorch computes with it in float64.

    script/oracle tests/model/make.py [FAMILY ...]         all rows of FIXTURES, or those named

fixtures/FAMILY/config.json, model*.safetensors     the model, as a Hugging Face folder
fixtures/FAMILY/ref_N.h5                            hook points for prompts.tokens(N), see ../oracle/README.md

To add a family that ../oracle/families.py knows: add a row here, run this, commit what it wrote. The references are
computed in float64 and stored rounded to float32 (6e-8, against a bound of 5e-5).
"""
import argparse
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))

import prompts  # noqa: E402
import reference  # noqa: E402

# family of families.py -> how its weights are stored; between them every float type, and one split into shards
FIXTURES = {
    "gpt2": dict(seed=11, dtype="float16"),
    "llama": dict(seed=12, dtype="float32"),
    "llama3_rope": dict(seed=13, dtype="bfloat16", max_shard_size="60KB"),
    "mistral": dict(seed=14, dtype="bfloat16"),
}


def make(family, row):
    folder = HERE / "fixtures" / family
    with tempfile.TemporaryDirectory() as scratch:
        reference.build(family, scratch, **row)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in Path(scratch).glob("*"):
            if file.name == "config.json" or file.name.startswith("model"):
                shutil.copyfile(file, folder / file.name)
    for n in prompts.LENGTHS:
        ids = prompts.tokens(n)
        reference.save(folder / f"ref_{n}.h5", reference.run(str(folder), ids, family), ids, prompts.rows(n),
                       dtype="float32", family=family)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{family}: {len(list(folder.iterdir()))} files, {size / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", nargs="*")
    for name in parser.parse_args().family or FIXTURES:
        make(name, FIXTURES[name])
