"""Writes schemas/examples/run/: run specs, valid ones and the same with one thing wrong each, and the files that they name.

    python3 schemas/make_run_examples.py

A name says whether weir takes the spec, and which command it is for. The note of a wrong one is what weir says of it.
"""

import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent / "examples/run"

PAIRS = [{"clean": "The cat sat on the", "corrupt": "The dog ran to the", "answer": " mat", "wrong": " door", "id": "first"},
         {"clean": [1, 55, 240], "corrupt": [1, 56, 240], "answer": 300, "wrong": [301, 302]}]
LINES = [{"prompt": "The walk to the house", "subject": " walk"}, {"ids": [1, 55, 240], "subject": [1], "label": {"a": [1.50, None]}}]

VALID = {
    "run_prompts": {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "weir_spec": 1, "note": "texts, token ids, and objects with fields",
        "model": "../../../models/rill", "bos": "auto", "threads": 2,
        "prompts": ["The cat sat", [1, 55, 240], *LINES], "metrics": ["entropy", "logit(' the') - logit(42)"],
        "next": {"positions": -1, "top": 4}, "output": {"json": True}},
    "run_edits": {
        "weir_spec": 1, "note": "what a head does on one side of each pair",
        "pairs": PAIRS, "ablate": "z:1.0=mean",
        "edits": ["z:0.1#corrupt = [#clean]", {"select": "resid_post:0@-1", "op": "+=", "value": "4 * direction.npy", "keeping": "norm"},
                  {"select": "mlp_post:1.10", "op": "*=", "value": 0.5}, {"select": "resid_post:1", "op": "=", "value": "0", "along": "direction.npy"}],
        "metrics": "dot([resid_post:1@-1], direction.npy)", "against": "base", "output": {"csv": True}},
    "run_sides": {
        "weir_spec": 1, "sides": ["clean", "sent=clean"], "prompts": [{"clean": "The cat sat", "id": 7}],
        "edits": "z:0#sent = 0", "process": ["fold_ln", "center_unembed"], "compute": "f32",
        "capture": {"hooks": ["z:0@-1", "resid_post"], "dtype": "f16", "compress": "gzip"},
        "next": {"positions": "0+-1", "top": 2}, "output": {"file": "sides.h5", "force": True, "yes": False}},
    "dump_capture": {
        "weir_spec": 1, "prompts": "The cat sat", "prompt_files": ["prompts.jsonl"], "process": "tl",
        "capture": {"hooks": "pattern,z:0.1", "positions": "-2:", "next": 3, "dtype": "bf16"}, "output": {"file": "capture.h5"}},
    "patch_grid": {
        "weir_spec": 1, "note": "where the difference between the prompts of a pair is", "pairs": PAIRS[0], "pair_files": "pairs.jsonl",
        "metrics": ["logit(answer) - logit(wrong)"], "sweep": {"at": ["resid_pre", "resid_mid"], "by": "position", "direction": "noise"},
        "output": {"file": "grid.h5", "svg": "grid.svg", "scheme": "dark", "top": 5, "force": True}},
    "patch_heads": {
        "weir_spec": 1, "pairs": PAIRS, "sweep": {"at": "z"}, "output": {"csv": True}},
}

# name: of which valid one, what becomes of it, and what weir says
INVALID = {
    "run_no_version": ("run_prompts", lambda spec: spec.pop("weir_spec"), 'weir_spec is missing: write "weir_spec": 1, the version of the format'),
    "run_other_version": ("run_prompts", lambda spec: spec.update(weir_spec=2), "weir_spec: 2 is no version of the format that this weir reads, which is 1"),
    "run_unknown_field": ("run_prompts", lambda spec: spec.update(metric="loss"), "metric: there is no such field; the nearest: metrics"),
    "run_unknown_in_section": ("run_prompts", lambda spec: spec["next"].update(hooks="z"), "next.hooks: there is no such field here; there is capture.hooks"),
    "run_sweep": ("run_prompts", lambda spec: spec.update(sweep={"at": "z"}), "sweep: weir run has no such field; it is for weir patch"),
    "run_prompts_and_pairs": ("run_prompts", lambda spec: spec.update(pairs=PAIRS), "pairs: there are prompts too: a run has prompts or pairs"),
    "run_number_as_text": ("run_prompts", lambda spec: spec.update(threads="2"), "threads: this must be a whole number from 1 to 256"),
    "run_half_a_number": ("run_prompts", lambda spec: spec["next"].update(top=2.5), "next.top: this must be a whole number from 1 to 1000000"),
    "run_too_large": ("run_prompts", lambda spec: spec["next"].update(top=10**40), "next.top: this must be a whole number from 1 to 1000000"),
    "run_null": ("run_prompts", lambda spec: spec.update(model=None), "model: this must be the name of a model"),
    "run_choice": ("run_sides", lambda spec: spec["capture"].update(dtype="f64"), "capture.dtype: this must be f32, f16 or bf16"),
    "run_flag": ("run_sides", lambda spec: spec["output"].update(force=1), "output.force: this must be true or false"),
    "run_section": ("run_sides", lambda spec: spec.update(output="sides.h5"), "output: this must be an object of fields"),
    "run_ids_alone": ("run_prompts", lambda spec: spec.update(prompts=[464, 3797]),
                      "prompts[0]: this must be a prompt, a text, a list of token ids or an object"),
    "run_negative_id": ("run_prompts", lambda spec: spec.update(prompts=["a", [1, -1]]), "prompts[1]: token ids are a list of whole numbers: [464, 3797]"),
    "run_object_without_prompt": ("run_prompts", lambda spec: spec["prompts"].append({"subject": "a"}),
                                  'prompts[4]: the object has none of "prompt", "text", "ids" and "tokens"'),
    "run_side_base": ("run_sides", lambda spec: spec.update(sides=["clean", "base"]),
                      "sides[1]: --side: #base is a prompt without its edits: give this side another name, as in original=base"),
    "run_text_with_sides": ("run_sides", lambda spec: spec["prompts"].append("The cat"),
                            "prompts[1]: with sides a prompt is an object, of which they are members"),
    "run_edit_member": ("run_edits", lambda spec: spec["edits"][2].update(valu=1), 'edits[2]: an edit has no member "valu"; the nearest: value'),
    "run_edit_lacks": ("run_edits", lambda spec: spec["edits"][2].pop("value"), 'edits[2]: the edit lacks its member "value"'),
    "run_edit_op": ("run_edits", lambda spec: spec["edits"][2].update(op="=="), "edits[2].op: character 1: none of =, +=, -=, *=, <= and >="),
    "run_empty_list": ("run_edits", lambda spec: spec.update(edits=[]), "edits: the list is empty: leave the field out"),
    "run_empty_text": ("run_edits", lambda spec: spec.update(metrics=[""]), "metrics[0]: this must be a metric, which is a text"),
    "dump_against": ("dump_capture", lambda spec: spec.update(against="base"), "against: weir dump has no such field; it is for weir run"),
    "dump_hooks": ("dump_capture", lambda spec: spec["capture"].update(hooks=["z", 3]), "capture.hooks[1]: this must be a text that is not empty"),
    "patch_half_a_pair": ("patch_heads", lambda spec: spec["pairs"][1].pop("corrupt"), 'pairs[1]: the object has no "corrupt", which is the prompt of side corrupt'),
    "patch_prompts": ("patch_heads", lambda spec: spec.update(prompts=["a"]), "prompts: weir patch has no such field; it is for weir run and weir dump"),
    "patch_by": ("patch_grid", lambda spec: spec["sweep"].update(by="heads"),
                 "sweep.by: this must be position, head, head-position, neuron, query or cell"),
}


def write(name, spec):
    (HERE / f"{name}.json").write_text(json.dumps(spec, indent=2, ensure_ascii=False) + "\n")


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    for old in HERE.glob("*"):
        old.unlink()
    for name, spec in VALID.items():
        write("valid_" + name, spec)
    for name, (of, change, note) in INVALID.items():
        spec = json.loads(json.dumps(VALID[of]))
        change(spec)
        write("invalid_" + name, {**spec, "note": note})
    (HERE / "prompts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    (HERE / "pairs.jsonl").write_text(json.dumps(PAIRS[1]) + "\n")
    width = json.loads((HERE / "../../../models/rill/config.json").resolve().read_text())["n_embd"]
    np.save(HERE / "direction.npy", (np.arange(width, dtype=np.float32) - width / 2) / width)


if __name__ == "__main__":
    main()
