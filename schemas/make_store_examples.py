"""Writes schemas/examples/store/: a description of a real file, and the same with one thing wrong each.

    python3 schemas/make_store_examples.py DESCRIPTION.json        (as lib/store/describe.c writes it)
"""

import copy
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent / "examples/store"
PATTERN = "/activations/pattern"


def with_metrics(d):
    """the metrics of a run"""
    datasets = d["datasets"]
    d["groups"].append("/results")
    datasets["/metric"] = datasets["/prompt"] | {"shape": [2]}
    datasets["/results/metrics"] = datasets["/prompts/loss"] | {
        "shape": [2, *datasets["/prompts/loss"]["shape"]], "dims": ["metric", "prompt"], "scales": [["/metric"], ["/prompt"]],
        "attributes": {"metrics": '["logprob(answer)","rank(answer)"]', "units": '["nats",""]'}}


def wrong(d, name):
    attributes, datasets = d["attributes"], d["datasets"]
    pattern = datasets[PATTERN]
    match name:
        case "invalid_schema_version":
            attributes["weir_schema"] = 2
        case "invalid_digest":
            attributes["digest"] = "abc"
        case "invalid_edits":
            attributes["edits"] = '{"select":"z:5.3","op":"=","value":"0"}'
        case "invalid_no_tokens":
            del datasets["/tokens/id"]
        case "invalid_unlabelled_axis":
            pattern["dims"][4] = None
        case "invalid_query_twice":
            pattern["dims"][4] = "query"
            pattern["scales"][4] = ["/query"]
        case "invalid_scale_not_attached":
            pattern["scales"][0] = []
        case "invalid_dtype":
            pattern["dtype"] = "float16"
        case "invalid_hook_name":
            pattern["attributes"]["hook_name"] = "blocks.{layer}.attn.hook_z"
        case "invalid_no_layers":
            del pattern["attributes"]["layers"]
        case "invalid_fill":
            pattern["fill"] = 0
        case "invalid_unknown_point":
            datasets["/activations/patern"] = datasets.pop(PATTERN)
        case "invalid_half_of_next":
            del datasets["/next/logit"]
        case "valid_metrics" | "invalid_metrics_by_layer":
            with_metrics(d)
    if name == "invalid_metrics_by_layer":
        datasets["/results/metrics"]["dims"][0] = "layer"


NAMES = ("invalid_schema_version invalid_digest invalid_edits invalid_no_tokens invalid_unlabelled_axis invalid_query_twice "
         "invalid_scale_not_attached invalid_dtype invalid_hook_name invalid_no_layers invalid_fill "
         "invalid_unknown_point invalid_half_of_next valid_metrics invalid_metrics_by_layer").split()

if __name__ == "__main__":
    valid = json.loads(pathlib.Path(sys.argv[1]).read_text())
    HERE.mkdir(parents=True, exist_ok=True)
    for name in ["valid"] + NAMES:
        description = copy.deepcopy(valid)
        wrong(description, name)
        (HERE / f"{name}.json").write_text(json.dumps(description, separators=(",", ":")) + "\n")
