"""Writes store.schema.json: the layout of a cache file, as `weir validate --describe` prints it.

The hook points come from lib/points/points.def, the other datasets from the tables of lib/store/layout.c. A test checks that the committed
schema is what this writes:

    python3 schemas/make_store_schema.py > schemas/store.schema.json
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
POINT = re.compile(r'^POINT\(\w+, "(\w+)", "([^"]+)", (BLOCK|MODEL), \w+, \(([A-Z_, ]+)\),', re.M)
SCALES = ("layer prompt pos query key head kv_head d_head d_model d_mlp d_expert expert expert_k vocab token top word metric").split()
LAYOUT = (HERE.parent / "lib/store/layout.c").read_text()
STEPS = "fold_ln|center_writing_weights|center_unembed|fold_value_biases"
DTYPES = {"TEXT": "string", "CHARS": "chars", "I32": "int32", "F32": "float32"}
# results: {"metrics", 2, {WEIR_DIM_METRIC, WEIR_AXIS_PROMPT}}, below /results
RESULT = re.compile(r'\{"(\w+)",\s*\d,\s*\{([A-Z0-9_,\s]+)\}\}')
# a set or a column: {"/next/id", WEIR_ELEM_I32, 3, {WEIR_AXIS_PROMPT, WEIR_AXIS_POS, WEIR_DIM_TOP}, false, "nats"}
SET = re.compile(r'\{"(/\w+/\w+)",\s*WEIR_ELEM_(\w+),\s*\d,\s*\{([A-Z0-9_,\s]+)\},\s*(true|false)(?:,\s*(?:NULL|"([^"]+)"))?\}')


def sets():
    """path -> (dtype, dimensions, required, units) of the datasets that are not activations"""
    return {path: (DTYPES[elem], re.findall(r"weir_(?:axis|dim)_(\w+)", dims.lower()), required == "true", units)
            for path, elem, dims, required, units in SET.findall(LAYOUT)}


def results():
    """path -> dimensions"""
    return {f"/results/{name}": re.findall(r"weir_(?:axis|dim)_(\w+)", dims.lower()) for name, dims in RESULT.findall(LAYOUT)}


def result(dims):
    """Metrics by prompt; what lacks the attribute is of another program."""
    schema = {"if": {"properties": {"attributes": {"required": ["metrics"]}}}, "then": dataset(dims, {"const": "float32"})}
    schema["then"]["properties"]["attributes"] = {"properties": {name: {"type": "string", "contentMediaType": "application/json"}
                                                                 for name in ("metrics", "units")}}
    return schema


def points():
    text = (HERE.parent / "lib/points/points.def").read_text()
    for short, hook, scope, axes in POINT.findall(text):
        block = scope == "BLOCK"
        dims = (["layer"] if block else []) + ["prompt"] + axes.lower().replace(" ", "").split(",")
        yield short, ("blocks.{layer}." if block else "") + hook, dims


def exactly(values):
    return {"type": "array", "prefixItems": [{"const": v} for v in values], "items": False, "minItems": len(values)}


def dataset(dims, dtype, units=""):
    """Shape, type, labels and scales of a dataset with these dimensions."""
    return ({"description": units} if units else {}) | {
        "allOf": [{"$ref": "#/$defs/dataset"}],
        "properties": {
            "shape": {"minItems": len(dims), "maxItems": len(dims)},
            "dtype": dtype,
            "dims": exactly(dims),
            "scales": exactly([["/" + d] for d in dims]),
            "scale": {"const": False},
        },
    }


def activation(short, hook, dims):
    indices = short == "expert_indices"
    schema = dataset(dims, {"const": "int32"} if indices else {"enum": ["float32", "float16", "bfloat16"]})
    attributes = {
        "hook_name": {"const": hook},
        "layers": {"type": "array", "items": {"$ref": "#/$defs/index"}, "minItems": 1, "uniqueItems": True},
        "units": {"type": "string", "pattern": r"^([0-9]+\.[0-9]+(\+[0-9]+\.[0-9]+)*|\.[0-9]+(\+\.[0-9]+)*)$"},
        "saturated": {"$ref": "#/$defs/index"},
        "compute_error": {"type": ["number", "null"]},
    }
    if short == "pattern":
        attributes["sinks"] = {"const": 1}
    if dims[0] != "layer":
        del attributes["layers"]
    required = ["hook_name"] + (["layers"] if dims[0] == "layer" else [])
    schema["properties"]["fill"] = {"const": -1 if indices else "NaN"}
    schema["properties"]["attributes"] = {"type": "object", "properties": attributes, "required": required,
                                          "additionalProperties": False}
    if not indices:
        schema["if"] = {"properties": {"dtype": {"enum": ["float16", "bfloat16"]}}}
        schema["then"] = {"properties": {"attributes": {"required": ["saturated"]}}}
    return schema


def floats_of(name, dtype, shorts):
    """Where the attribute dtype is `name`, activations are of the type `dtype`."""
    pattern = "^/activations/(%s)$" % "|".join(s for s in shorts if s != "expert_indices")
    datasets = {"patternProperties": {pattern: {"properties": {"dtype": {"const": dtype}}}}}
    return {
        "if": {"properties": {"attributes": {"properties": {"dtype": {"const": name}}}}},
        "then": {"properties": {"datasets": datasets}},
    }


def schema():
    known = list(points())
    shorts = [short for short, _, _ in known]
    datasets = {"/activations/" + short: activation(short, hook, dims) for short, hook, dims in known}
    others = sets()
    datasets |= {path: dataset(dims, {"const": dtype}, units) for path, (dtype, dims, _, units) in others.items()}
    datasets |= {path: result(dims) for path, dims in results().items()}
    datasets |= {"/" + name: {"$ref": "#/$defs/scale"} for name in SCALES}
    needed = ["/layer", "/prompt", "/pos", "/token"] + [path for path, (_, _, required, _) in others.items() if required]
    tied = [["/" + dim, *(path for path, (_, dims, _, _) in others.items() if dim in dims)] for dim in ("top", "word")]
    text = {"type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The structure of a weir cache file, as lib/store/describe.c describes it",
        "type": "object",
        "required": ["attributes", "groups", "datasets"],
        "additionalProperties": False,
        "properties": {
            "attributes": {
                "type": "object",
                "required": ["weir_schema", "weir_version", "created", "model", "family", "config", "digest", "captures",
                             "dtype"],
                "additionalProperties": False,
                "properties": {
                    "weir_schema": {"const": 1},
                    "weir_version": text,
                    "created": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
                    "command": text,
                    "model": text,
                    "family": text,
                    "config": {"type": "string", "contentMediaType": "application/json"},
                    "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    "captures": text,
                    "dtype": {"enum": ["f32", "f16", "bf16"]},
                    # a list in JSON; before edits were data, the points that hooks could edit
                    "edits": {"type": "string", "pattern": r"^\s*\[|^[a-z0-9_:+,]*$"},
                    "compute": {"enum": ["bf16", "int8"]},
                    "process": {"type": "string", "pattern": f"^({STEPS})(,({STEPS}))*$"},
                },
            },
            "groups": {
                "type": "array",
                "items": {"type": "string", "pattern": "^/(prompts|tokens|activations|next|results(/.*)?)$"},
                "allOf": [{"contains": {"const": g}} for g in ("/prompts", "/tokens", "/activations")],
            },
            "datasets": {
                "type": "object",
                "properties": datasets,
                "patternProperties": {"^/results/": True},
                "required": needed,
                "additionalProperties": False,
                "dependentRequired": {path: paths for paths in tied for path in paths} |
                                     {path: ["/top", *tied[1]] for path in tied[1]},
            },
        },
        "allOf": [floats_of(*pair, shorts) for pair in
                  (("f32", "float32"), ("f16", "float16"), ("bf16", "bfloat16"))],
        "$defs": {
            "index": {"type": "integer", "minimum": 0},
            "dataset": {
                "type": "object",
                "required": ["shape", "dtype", "scale", "dims", "scales", "storage", "fill", "attributes"],
                "properties": {
                    "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                    "storage": {"enum": ["contiguous", "chunked"]},
                    "chunk": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                    "filters": {"type": "array", "items": {"enum": ["gzip", "shuffle", "fletcher32"]}},
                },
            },
            "scale": {
                "allOf": [{"$ref": "#/$defs/dataset"}],
                "properties": {"shape": {"minItems": 1, "maxItems": 1}, "dtype": {"const": "int32"},
                               "scale": {"const": True}},
            },
        },
    }


def pretty(value, indent=""):
    """JSON with what fits on a line on one line."""
    line = json.dumps(value)
    if len(line) + len(indent) <= 120 or not isinstance(value, (dict, list)):
        return line
    deeper = indent + " "
    if isinstance(value, dict):
        inside, (first, last) = [f"{json.dumps(k)}: {pretty(v, deeper)}" for k, v in value.items()], "{}"
    else:
        inside, (first, last) = [pretty(v, deeper) for v in value], "[]"
    return f"{first}\n{deeper}" + f",\n{deeper}".join(inside) + f"\n{indent}{last}"


if __name__ == "__main__":
    sys.stdout.write(pretty(schema()) + "\n")
