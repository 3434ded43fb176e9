#!/usr/bin/env python3
"""Regenerates the fixtures: a tiny random model of each family and what PyTorch computes with it in float64.

    script/oracle tests/model/make.py [FAMILY ...]         all fixtures, or those named

fixtures/FAMILY/config.json, model*.safetensors     the model, as a Hugging Face folder
fixtures/FAMILY/ref_N.h5                            hook points for prompts.tokens(N), see ../oracle/README.md
fixtures/FAMILY/edit_NAME.h5                        what follows an edit, of some families (edits.py)
fixtures/smollm2_ref.h5                             some layers and rows of SmolLM2-135M (script/fetch-model) on one prompt,
                                                    and how far PyTorch float32 is from them (attribute float32_error)
fixtures/gemma3_ref.h5                              the same of Gemma 3 270M (script/fetch-gemma)
long/KIND_N.h5                                      the same at 1500 and 8000 positions of each kind of position (positions.py)
wrapped/NAME_N.h5                                   the same of models around a text model, and of published configurations
fixtures/rill_ref.h5                                the same of models/rill, all its layers

To add a family that ../oracle/families.py knows: add a row here, run this, commit what it wrote. The references are
computed in float64 and stored rounded to float32 (6e-8, against a bound of 5e-5).
"""
import argparse
import copy
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

import cache  # noqa: E402
import edits  # noqa: E402
import prompts  # noqa: E402
from configs import CONFIGS, FEW_ROWS, LENS  # noqa: E402
import lens  # noqa: E402
import positions  # noqa: E402
import wrappers  # noqa: E402
import reference  # noqa: E402

# family of families.py -> how its weights are stored; between them every float type, and one split into shards
FIXTURES = {
    "gpt2": dict(seed=11, dtype="float16"),
    "llama": dict(seed=12, dtype="float32"),
    "llama3_rope": dict(seed=13, dtype="bfloat16", max_shard_size="60KB"),
    "mistral": dict(seed=14, dtype="bfloat16"),
}


def note_float32(out, got, ids, rows=None):
    """How far PyTorch float32 is from the reference at its worst: the attribute float32_error."""
    with tempfile.TemporaryDirectory() as scratch:
        reference.save(scratch + "/f32.h5", got, ids, rows)
        with h5py.File(scratch + "/f32.h5") as mine, h5py.File(out, "r+") as ref:
            errors = {name: e for name, e in reference.errors(mine, ref).items() if e is not None}
            ref.attrs["float32_error"] = max(errors.values())
    return errors


def make_config(name, row, seed):
    """A configuration of configs.py: weights of 16 bits, few rows of the references, so that there can be many."""
    folder = HERE / "fixtures" / name
    with tempfile.TemporaryDirectory() as scratch:
        reference.build(row["family"], scratch, seed=seed, dtype=("bfloat16", "float16")[seed % 2], changes=row["changes"])
        if row["mxfp4"]:
            reference.pack_mxfp4(scratch)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in ("config.json", "model.safetensors"):
            shutil.copyfile(Path(scratch) / file, folder / file)
    for n in row["lengths"]:
        ids, out = prompts.tokens(n), folder / f"ref_{n}.h5"
        got = reference.run(str(folder), ids, row["family"], paths=row["paths"])
        reference.save(out, got, ids, [r for r in FEW_ROWS if r < n], dtype="float32", family=row["family"])
        note_float32(out, reference.run(str(folder), ids, row["family"], "float32", paths=row["paths"]), ids)
    print(f"{name}: {sum(f.stat().st_size for f in folder.iterdir()) / 1000:.0f} kB")


def make_lens(name, row, seed):
    """A model of TransformerLens's own, stored as those of configs.py are."""
    folder = HERE / "fixtures" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lens.build(folder, row["changes"], seed, ("float32", "float16", "bfloat16")[seed % 3])
    for n in row["lengths"]:
        ids, out = prompts.tokens(n), folder / f"ref_{n}.h5"
        reference.save(out, lens.run(folder, ids), ids, [r for r in FEW_ROWS if r < n], dtype="float32", family=row["family"])
        note_float32(out, lens.run(folder, ids, "float32"), ids)
    print(f"{name}: {sum(f.stat().st_size for f in folder.iterdir()) / 1000:.0f} kB")


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


def kind_parts(row):
    """config.json and the tensors' shapes of a kind of position (positions.py)"""
    with tempfile.TemporaryDirectory() as scratch:
        if row["lens"]:
            lens.build(scratch, row["changes"], 1, "float32")
            names = set(lens.load(scratch).state_dict()) - {n for n, _ in lens.load(scratch).named_buffers()}
        else:
            reference.build(row["family"], scratch, changes=row["changes"])
            names = None
        tensors = cache.weights(scratch)
        config = {key: value for key, value in cache.config(scratch).items() if key != "transformers_version"}
        return config, {name: x.shape for name, x in tensors.items() if names is None or name in names}


def kind_run(row, folder, ids, dtype):
    if row["lens"]:
        return lens.run(folder, ids, dtype, positions.rows(len(ids)))
    return reference.run(str(folder), ids, row["family"], dtype, row["paths"], rows=positions.rows(len(ids)))


def small_model(config):
    """transformers' whole model of a configuration, with its own random weights"""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMultimodalLM
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "config.json").write_text(json.dumps(config))
        auto = AutoModelForMultimodalLM if "vision_config" in config or "audio_config" in config else AutoModelForCausalLM
        return auto.from_config(AutoConfig.from_pretrained(scratch), dtype=torch.float32)


def ties(config):
    """[what the top and the text configuration say of tied embeddings, None: nothing; whether transformers ties them]"""
    import torch
    found = []
    for top in (None, True, False):
        for inside in (None, True, False):
            said = copy.deepcopy(config)
            for where, value in (said, top), (said.get("text_config", {}), inside):
                where.pop("tie_word_embeddings", None)
                if value is not None:
                    where["tie_word_embeddings"] = value
            with torch.device("meta"):
                model = small_model(said)
            head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
            found.append([top, inside, head.weight is embedding.weight])
    return found


def float32_errors(folder, family, paths, n, draws):
    """name -> PyTorch float32's error there, the largest over all rows of several prompts of n ids"""
    seen = {}
    for seed in range(draws):
        ids = prompts.tokens(n, seed)
        with tempfile.TemporaryDirectory() as scratch:
            reference.save(scratch + "/f64.h5", reference.run(folder, ids, family, paths=paths), ids)
            for point, error in note_float32(scratch + "/f64.h5", reference.run(folder, ids, family, "float32", paths=paths), ids).items():
                seen.setdefault(point, []).append(error)
    return {point: max(errors) for point, errors in seen.items()}


def make_wrapped(name, row):
    """What transformers' wrapper computes of text, with weights drawn as those of kinds of positions are."""
    config, family, paths = row["config"], wrappers.family_of(row["config"]), wrappers.paths_of(row["config"])
    with tempfile.TemporaryDirectory() as scratch:
        small_model(config).save_pretrained(scratch)
        shapes = {tensor: list(x.shape) for tensor, x in cache.weights(scratch).items()}
    wrappers.WRAPPED.mkdir(exist_ok=True)
    tied = json.dumps(ties(config)) if "text_config" in config else "[]"
    for n in row["lengths"]:
        ids, out = prompts.tokens(n), wrappers.WRAPPED / f"{name}_{n}.h5"
        with tempfile.TemporaryDirectory() as folder:
            positions.write(folder, config, shapes, family)
            got = reference.run(folder, ids, family, paths=paths)
            wide = dict(logits=-(-got["logits"].shape[-1] // 1000))
            reference.save(out, got, ids, [r for r in FEW_ROWS if r < n], dtype="float32", every=wide, family=family,
                           config=json.dumps(config), shapes=json.dumps(shapes), ties=tied)
            errors = note_float32(out, reference.run(folder, ids, family, "float32", paths=paths), ids)
            if row["draws"] > 1:
                errors = float32_errors(folder, family, paths, n, row["draws"])
                with h5py.File(out, "r+") as ref:
                    ref.attrs["float32_errors"] = json.dumps(errors)
        print(f"{name}, {n}: PyTorch float32 errs by {max(errors.values()):.2e} at {max(errors, key=errors.get)}, "
              f"{out.stat().st_size / 1000:.0f} kB", flush=True)


def next_of(logits, ids):
    """the likeliest three ids after the last position, how likely they are, and the prompt's loss"""
    most = logits.max(-1, keepdims=True)
    logprobs = logits - most - np.log(np.exp(logits - most).sum(-1, keepdims=True))
    best = np.argsort(-logits[-1], kind="stable")[:3]
    loss = -logprobs[np.arange(len(ids) - 1), ids[1:]].mean() if len(ids) > 1 else np.nan
    return dict(top_ids=best, top_logprobs=logprobs[-1, best], loss=loss)


def make_kind(name, row):
    """What PyTorch computes with a kind of position at its lengths: few queries, and of their patterns every so many keys."""
    config, shapes = kind_parts(row)
    for n in row["lengths"]:
        with tempfile.TemporaryDirectory() as folder:
            positions.write(folder, config, shapes, row["family"])
            vocabulary = positions.vocabulary_of(row)
            ids, out = positions.tokens(n, vocabulary), positions.LONG / f"{name}_{n}.h5"
            out.parent.mkdir(exist_ok=True)
            got = kind_run(row, folder, ids, "float64")
            wide = {point: positions.every(n) for point in got if point.endswith(("hook_attn_scores", "hook_pattern"))}
            wide["logits"] = positions.every(vocabulary) if vocabulary > positions.VOCAB else 1
            every = {re.sub(r"blocks\.\d+\.", "blocks.{layer}.", point): k for point, k in wide.items()}
            reference.save(out, got, ids, positions.rows(n), dtype="float32", every=wide | every, family=row["family"],
                           config=json.dumps(config), shapes=json.dumps(shapes), **next_of(got["logits"][0], ids))
            del got
            errors = note_float32(out, kind_run(row, folder, ids, "float32"), ids, positions.rows(n))
            print(f"{name}, {n}: PyTorch float32 errs by {max(errors.values()):.2e} at {max(errors, key=errors.get)}, "
                  f"{out.stat().st_size / 1000:.0f} kB", flush=True)


def make_edits(family):
    """The stream that leaves each block, and the logits, where a value was edited on the way."""
    folder, ids = HERE / "fixtures" / family, prompts.tokens(edits.LENGTH)
    for name, edit in edits.EDITS.items():
        got = reference.run(str(folder), ids, family, edit=edit)
        kept = {point: x for point, x in got.items() if point.endswith("hook_resid_post") or point == "logits"}
        reference.save(folder / f"edit_{name}.h5", kept, ids, edits.ROWS, dtype="float32", family=family)


# Published models on "A weir is a low dam across a stream, where the flow of the water is measured day and night."; the
# layers and rows have PyTorch's worst point in them (the MLP of layer 9 at position 15; that of layer 4 at position 6),
# Gemma's a global layer (17) beside a local one. Of its 262144 logits some are enough. The
# bundled model on the first words of Pride and Prejudice, which begin again at position 22.
PUBLISHED = {
    "smollm2": dict(file=".cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", family="llama", layers=(0, 9, 29),
                    rows=(0, 1, 2, 15, 22), every={},
                    tokens=[49, 392, 337, 314, 253, 1642, 2156, 1699, 253, 5390, 28, 837, 260, 1874, 282, 260, 913, 314, 6090,
                            1194, 284, 3163, 30]),
    "gemma3": dict(file=".cache/gemma3/gemma-3-270m-q4_k_m.gguf", family="gemma3_text", layers=(4, 17), rows=(6, 22),
                   every={"logits": 64},
                   tokens=[2, 236776, 160479, 563, 496, 2708, 3882, 3418, 496, 6381, 236764, 1298, 506, 2727, 529, 506, 1813, 563,
                           8434, 1719, 532, 3446, 236761]),
    "rill": dict(file="models/rill", family="gpt2", layers=range(4), rows=(0, 1, 2, 13, 31), every={"logits": 8},
                 tokens=[0, 1247, 348, 259, 1526, 343, 3965, 732, 3931, 12, 310, 259, 1918, 308, 425, 290, 2942, 272, 259, 606, 2402,
                         14, 788, 348, 259, 1526, 343, 3965, 732, 3931, 12, 310]),
}


def make_published(name, row):
    """The bound is PyTorch float32's own worst error on what is stored, so that the comparison is like with like."""
    model, ids, out = str(HERE.parents[1] / row["file"]), row["tokens"], HERE / f"fixtures/{name}_ref.h5"
    stored = dict(tokens=ids, rows=row["rows"], layers=row["layers"], every=row["every"])
    reference.save(out, reference.run(model, ids, row["family"]), dtype="float32", **stored)
    errors = note_float32(out, reference.run(model, ids, row["family"], "float32"), ids)
    print(f"{name}: PyTorch float32 errs by {max(errors.values()):.2e} at {max(errors, key=errors.get)}, "
          f"{out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", nargs="*")
    kinds = positions.KINDS | positions.EXTREMES
    for name in parser.parse_args().family or [*FIXTURES, *CONFIGS, *LENS, *PUBLISHED, *kinds, *wrappers.ROWS]:
        if name in kinds:
            make_kind(name, kinds[name])
        elif name in wrappers.ROWS:
            make_wrapped(name, wrappers.ROWS[name])
        elif name in PUBLISHED:
            make_published(name, PUBLISHED[name])
        elif name in FIXTURES:
            make(name, FIXTURES[name])
        elif name in LENS:
            make_lens(name, LENS[name], seed=300 + list(LENS).index(name))
        else:
            make_config(name, CONFIGS[name], seed=100 + list(CONFIGS).index(name))
        if name in edits.FAMILIES:
            make_edits(name)
