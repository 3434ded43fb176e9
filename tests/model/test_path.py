"""weir patch --to against a reference in float64 and TransformerLens's direct paths (fixtures made by tests/oracle/paths.py), and
against passes with explicit edits."""
import csv
import io
import itertools
import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
WEIR = os.environ.get("WEIR", str(HERE.parents[1] / "build/cli/weir"))
MODELS = ["gpt2", "llama", "gemma2", "gpt_neox"]     # plain; grouped-query; norms after the branches; parallel branches


def run(*args):
    return subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True)


def paths(tmp_path, model, pairs, *args):
    """{(layer, unit or position): row} of the CSV"""
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    result = run("patch", "-m", HERE / "fixtures" / model, "--pairs", file, "--csv", *args)
    assert result.returncode == 0, result.stderr
    rows = csv.DictReader(io.StringIO(result.stdout))
    return {(int(row["layer"] or 0), int(row["unit"] or row["position"])): row for row in rows}


def cases(model):
    with h5py.File(HERE / f"fixtures/paths_{model}.h5") as file:
        return [(dict(data.attrs), data[...]) for data in file.values() if "to" in data.attrs]


def same_grid(rows, want, bound):
    """the means of the cells that exist, and that no others do"""
    exists = {index for index in np.ndindex(want.shape[:2]) if not np.isnan(want[index]).any()}
    assert set(rows) == exists
    got = np.array([float(rows[index]["value"]) for index in sorted(exists)])
    assert np.abs(got - [want[index].mean() for index in sorted(exists)]).max() < bound


@pytest.mark.parametrize("model", MODELS)
def test_paths_are_those_of_the_reference(tmp_path, model):
    with h5py.File(HERE / f"fixtures/paths_{model}.h5") as file:
        pairs = json.loads(file.attrs["pairs"])
    for case, want in cases(model):
        by = "head" if case["at"] == "z" else "position"
        rows = paths(tmp_path, model, pairs, "--at", case["at"], "--by", by, "--to", case["to"], "--path", case["path"],
                     *["--freeze-mlps"] * bool(case["freeze_mlps"]))
        same_grid(rows, want, 1e-4)


@pytest.mark.parametrize("model, component", [("gpt2", "q"), ("gpt2", "k"), ("gpt2", "v"), ("llama", "q")])
def test_direct_paths_are_those_of_transformer_lens(tmp_path, model, component):
    with h5py.File(HERE / f"fixtures/lens_paths_{model}.h5") as file:
        pairs, want = json.loads(file.attrs["pairs"]), file[component][...].astype(float)
    n_layers, n_heads = want.shape[:2]
    for layer, head in itertools.product(range(1, n_layers), range(n_heads)):
        rows = paths(tmp_path, model, pairs, "--at", "z", "--to", f"{component}_input:{layer}.{head}", "--path", "direct")
        same_grid(rows, want[:, :, layer, head], 1e-4)


FAMILIES = ["gpt2", "llama", "gemma2", "gpt_neox", "mixtral", "falcon_new", "gptj", "bloom", "olmo2", "cohere", "granite", "gpt_oss",
            "lens_shortformer", "phi3_longrope"]
PAIR = dict(clean=[5, 7, 9, 2, 5, 11, 60], corrupt=[5, 90, 9, 2, 31, 11, 60], answer=17, wrong=44)
HELD = "z#sent = [#corrupt]"
WHOLE_PASSES = {
    "heads held": (["z:0.1", "--to", "q:1"], [HELD, "z:0.1#sent = [#clean]", "q:1#out = [#sent]"]),
    "one position": (["z:0.1@4", "--by", "head-position", "--to", "k:1.0,z:-1.1"],
                     ["z#sent,-z:-1.1#sent = [#corrupt]", "z:0.1@4#sent = [#clean]", "k:1.0#out = [#sent]", "z:-1.1#out = [#sent]"]),
    "a query head's values": (["z:0.0", "--to", "v:1.h1"], [HELD, "z:0.0#sent = [#clean]", "v:1.h1#out = [#sent]"]),
    "MLPs held too": (["z:0.2", "--to", "resid_post:-1", "--freeze-mlps"],
                      [HELD, "mlp_out#sent = [#corrupt]", "z:0.2#sent = [#clean]", "resid_post:-1#out = [#sent]"]),
    "a key as the sender": (["k:1.0", "--to", "resid_post:-1"],
                            ["z#sent,-z:1.{group}#sent = [#corrupt]", "k:1.0#sent = [#clean]", "resid_post:-1#out = [#sent]"]),
    "the embedding": (["embed@1", "--to", "pattern:1,q:1.0@-1"],
                      [HELD, "embed@1#sent = [#clean]", "pattern:1#out = [#sent]", "q:1.0@-1#out = [#sent]"]),
    "a place in the stream": (["resid_pre:1@6", "--to", "logits"], [HELD, "resid_pre:1@6#sent = [#clean]", "logits#out = [#sent]"]),
    "by the stream alone": (["z:0.1", "--path", "direct", "--to", "resid_post:-1"],
                            ["z:0.1#sent = [#clean]", "resid_post:-1#out += [attn_out:0#sent]", "resid_post:-1#out -= [attn_out:0#corrupt]"]),
    "to one head by the stream": (["mlp_out:0@4", "--path", "direct", "--to", "k_input:1.0,v_input:1.0"],
                                  ["mlp_out:0@4#sent = [#clean]",
                                   "k_input:1.0#out += [mlp_out:0#sent]", "k_input:1.0#out -= [mlp_out:0#corrupt]",
                                   "v_input:1.0#out += [mlp_out:0#sent]", "v_input:1.0#out -= [mlp_out:0#corrupt]"]),
}


@pytest.mark.parametrize("case", WHOLE_PASSES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_cell_is_what_whole_passes_with_explicit_edits_give(tmp_path, family, case):
    options, edits = WHOLE_PASSES[case]
    model, file = HERE / "fixtures" / family, tmp_path / "sides.jsonl"
    file.write_text(json.dumps(dict(PAIR, sent=PAIR["corrupt"], out=PAIR["corrupt"])) + "\n")
    info = json.loads(run("info", model, "--json").stdout)
    edits = [edit.replace("{group}", f"0:{info['n_heads'] // info['n_kv_heads']}") for edit in edits]
    sides = [arg for side in ("clean", "corrupt", "sent", "out") for arg in ("--side", side)]
    result = run("run", "-m", model, "-f", file, *sides, "--metric", "logit(answer) - logit(wrong)", "--json",
                 *[arg for edit in edits for arg in ("--edit", edit)])
    assert result.returncode == 0, result.stderr
    corrupt, out = [json.loads(result.stdout)["prompts"][i]["metrics"][0]["value"] for i in (1, 3)]
    assert corrupt != out
    for threads in (1, 2, 5):
        (row,) = paths(tmp_path, family, [PAIR], "--at", *options, "--threads", threads).values()
        assert abs(float(row["value"]) - out) < 1e-5 * max(1, abs(out))
