"""Files that the writer makes, opened by the libraries that people have, and broken ones given to validate.

WEIR_BUILD names the build folder (default: build).
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import h5py
import jsonschema
import numpy as np
import pytest
import xarray

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build")) / "tests/unit/store_cli"
SCHEMA = json.loads((ROOT / "schemas/store.schema.json").read_text())
EXAMPLES = sorted((ROOT / "schemas/examples/store").glob("*.json"))
POINTS = re.findall(r'^POINT\(\w+, "(\w+)"', (ROOT / "lib/points/points.def").read_text(), re.M)
CASES = "whole equal unequal f16 bf16 bf16_unequal gzip gzip_bf16 one_layer units rows".split()
LENGTHS = {"whole": [23], "unequal": [5, 150, 1], "bf16_unequal": [5, 150, 1], "gzip_bf16": [5, 150, 1],
           "units": [5, 150, 1]}
SIZES = {"head": 4, "d_head": 8, "d_model": 32, "d_mlp": 48, "vocab": 50, "expert_k": 2}
DIMS = {"resid_post": ["pos", "d_model"], "pattern": ["head", "query", "key"], "z": ["pos", "head", "d_head"],
        "mlp_post": ["pos", "d_mlp"], "ln1_scale": ["pos"], "expert_indices": ["pos", "expert_k"],
        "logits": ["pos", "vocab"]}
UNIT_AXIS = {"resid_post": 1, "pattern": 0, "z": 1, "mlp_post": 1}


def run(*args):
    return subprocess.run([CLI, *map(str, args)], capture_output=True, text=True)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    for case in CASES:
        made = run(case, folder / f"{case}.h5")
        assert made.returncode == 0, made.stderr
    return folder


def lengths(case):
    return LENGTHS.get(case, [12, 12])


def value(point, layer, prompt, n):
    """What store_fake.c puts, whole."""
    shape = [n if d in ("pos", "query", "key") else SIZES[d] for d in DIMS[point]]
    i = np.arange(np.prod(shape))
    if point == "pattern":
        query, key = i // n % n, i % n
        x = np.where(key > query, 0, np.float32(1) / (query + 1).astype(np.float32))
    elif point == "expert_indices":
        x = (i + prompt) % 6
    else:
        x = (POINTS.index(point) * 31 + (layer + 1) * 37 + prompt * 7 + i % 1009) / 64 - 8
    return x.reshape(shape).astype(np.int32 if point == "expert_indices" else np.float32)


def to_bf16(x):
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def expected(case, point):
    """The whole dataset as it must read."""
    layers = [1] if case == "one_layer" else [0, 1, 2]
    n, fill = max(lengths(case)), -1 if point == "expert_indices" else np.nan
    rows = np.arange(2, n, 3) if case == "rows" else np.arange(n)
    shape = [len(rows) if d in ("pos", "query") else n if d == "key" else SIZES[d] for d in DIMS[point]]
    lead = [len(lengths(case))] if point == "logits" else [3, len(lengths(case))]
    out = np.full(lead + shape, fill, np.int32 if point == "expert_indices" else np.float32)
    row_axis = next(i for i, d in enumerate(DIMS[point]) if d in ("pos", "query"))
    for prompt, length in enumerate(lengths(case)):
        for layer in [-1] if point == "logits" else layers:
            x = np.take(value(point, layer, prompt, length), rows[rows < length], axis=row_axis)
            if case == "units":
                keep = np.full(x.shape, False)
                keep[(slice(None),) * UNIT_AXIS[point] + (1,)] = True
                x = np.where(keep, x, np.nan)
            at = (prompt,) if point == "logits" else (layer, prompt)
            out[at + tuple(slice(s) for s in x.shape)] = x
    if case.endswith("f16") and not case.endswith("bf16") and point != "expert_indices":
        return out.astype(np.float16)
    return to_bf16(out) if "bf16" in case and point != "expert_indices" else out


def points_of(case):
    return list(UNIT_AXIS) if case == "units" else list(DIMS)


@pytest.mark.parametrize("case", CASES)
def test_h5py_reads_every_value(files, case):
    with h5py.File(files / f"{case}.h5") as f:
        assert sorted(f["activations"]) == sorted(points_of(case))
        for point in points_of(case):
            np.testing.assert_array_equal(f["activations"][point][:], expected(case, point), err_msg=point)


@pytest.mark.parametrize("case", CASES)
def test_dimensions_are_labelled_in_h5py(files, case):
    with h5py.File(files / f"{case}.h5") as f:
        for point in points_of(case):
            lead = ["prompt"] if point == "logits" else ["layer", "prompt"]
            dims = f["activations"][point].dims
            assert [d.label for d in dims] == lead + DIMS[point]
            assert [d[0].name for d in dims] == ["/" + d for d in lead + DIMS[point]]
        assert list(f["layer"][:]) == [0, 1, 2]


@pytest.mark.parametrize("case", CASES)
def test_xarray_gets_dimensions_coordinates_and_values(files, case):
    path = files / f"{case}.h5"
    with xarray.open_dataset(path, engine="h5netcdf", group="activations") as ds:
        assert ds.pattern.dims == ("layer", "prompt", "head", "query", "key")
        np.testing.assert_array_equal(ds.pattern.values, expected(case, "pattern"))
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert {"layer", "prompt", "head", "query", "key"} <= set(tree["activations"].coords)
        np.testing.assert_array_equal(tree["activations"].z.sel(layer=1, head=1).values,
                                      expected(case, "z")[1, :, :, 1])


@pytest.mark.parametrize("case", CASES)
def test_h5dump_opens_it(files, case):
    dumped = subprocess.run(["h5dump", "-d", "/activations/resid_post", "-s", "1,0,0,0", "-c", "1,1,1,4",
                             files / f"{case}.h5"], capture_output=True, text=True)
    assert dumped.returncode == 0, dumped.stderr
    row = re.search(r"\(1,0,0,0\): (.*)", dumped.stdout).group(1)
    found = [float(x) for x in row.replace("-nan", "nan").split(", ")]
    np.testing.assert_allclose(found, expected(case, "resid_post")[1, 0, 0, :4].astype(np.float32), rtol=1e-5)
    whole = subprocess.run(["h5dump", "-H", files / f"{case}.h5"], capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr


def test_what_is_not_captured_takes_no_space(files):
    with h5py.File(files / "one_layer.h5") as one, h5py.File(files / "equal.h5") as whole:
        for point in ("resid_post", "pattern", "z"):
            kept, full = (f["activations"][point].id.get_storage_size() for f in (one, whole))
            assert kept == full / 3, point


def test_prompts_tokens_and_next(files):
    with h5py.File(files / "unequal.h5") as f:
        assert f["prompts/text"].asstr()[:].tolist() == ["héllo", "", "héllo"]
        assert f["prompts/length"][:].tolist() == [5, 150, 1]
        assert f["prompts/loss"][:].tolist() == [2.5, 3.5, 4.5]
        assert f["tokens/id"][0, :7].tolist() == [0, 3, 6, 9, 12, -1, -1]
        assert [t.decode() for t in f["tokens/text"][0, :6]] == [" é0", "t3", "t6", "t9", "t12", ""]
        assert f["tokens/position"][2, :3].tolist() == [0, -1, -1]
        assert f["next/logprob"][0, 4].tolist() == [-1, -2, -3, -4]
        assert np.isnan(f["next/logit"][0, 5]).all() and (f["next/id"][0, 5] == -1).all()
    with h5py.File(files / "rows.h5") as f:
        assert f["tokens/position"][:].tolist() == [[2, 5, 8, 11]] * 2


def test_root_attributes(files):
    with h5py.File(files / "f16.h5") as f:
        assert f.attrs["weir_schema"] == 1 and f.attrs["dtype"] == "f16" and f.attrs["model"] == "fake"
        assert json.loads(f.attrs["config"]) == {"n_layer": 3}
        attrs = f["activations/pattern"].attrs
        assert attrs["hook_name"] == "blocks.{layer}.attn.hook_pattern" and attrs["saturated"] == 0
        assert attrs["layers"].tolist() == [0, 1, 2]


# ---- the schema ----


def describe(path):
    described = run("describe", path)
    assert described.returncode == 0, described.stderr
    return json.loads(described.stdout)


@pytest.mark.parametrize("case", CASES)
def test_descriptions_fit_the_schema(files, case):
    jsonschema.Draft202012Validator(SCHEMA).validate(describe(files / f"{case}.h5"))


def test_the_schema_is_a_schema_and_up_to_date():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    fresh = subprocess.run([sys.executable, ROOT / "schemas/make_store_schema.py"], capture_output=True, text=True)
    assert json.loads(fresh.stdout) == SCHEMA


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_judged_as_they_are_named(path):
    fits = jsonschema.Draft202012Validator(SCHEMA).is_valid(json.loads(path.read_text()))
    assert fits == path.stem.startswith("valid")


# ---- validate ----


@pytest.mark.parametrize("case", CASES)
def test_validate_finds_nothing_in_good_files(files, case):
    checked = run("validate", files / f"{case}.h5")
    assert (checked.returncode, checked.stdout) == (0, "")


def replace(f, path, **how):
    """The dataset again, without labels, with other data or type."""
    old = f[path]
    data, dtype = how.get("data", old[()]), how.get("dtype", old.dtype)
    attrs, labels = dict(old.attrs), [d.label for d in old.dims]
    scales = [[s.name for s in d.values()] for d in old.dims]
    fill = how.get("fill", old.fillvalue)
    del f[path]
    new = f.create_dataset(path, data=data, dtype=dtype, fillvalue=fill, chunks=how.get("chunks"))
    for k, v in attrs.items():
        if k not in ("DIMENSION_LIST", "DIMENSION_LABELS"):
            new.attrs[k] = v
    for i, label in enumerate(labels):
        if how.get("label", True):
            new.dims[i].label = label
        for scale in scales[i] if how.get("attach", True) else []:
            new.dims[i].attach_scale(f[scale])


def delete_attribute(path, name):
    return lambda f: f[path].attrs.__delitem__(name)


def set_attribute(path, name, to):
    return lambda f: f[path].attrs.__setitem__(name, to)


def set_value(path, at, to):
    return lambda f: f[path].__setitem__(at, to)


NOT_STORED = np.array(0x7FEA0000, np.uint32).view(np.float32)[()]  # docs/store.md; any other NaN was computed

BROKEN = {
    "no_version": (delete_attribute("/", "weir_schema"), "/: the attribute weir_schema is missing"),
    "future": (set_attribute("/", "weir_schema", 9), "/: weir_schema is 9"),
    "no_config": (delete_attribute("/", "config"), "/: the attribute config is missing"),
    "digest": (set_attribute("/", "digest", "xyz"), "/: the attribute digest must be 64 hex digits, is 'xyz'"),
    "created": (set_attribute("/", "created", "yesterday"), "/: the attribute created must be a time"),
    "dtype": (set_attribute("/", "dtype", "f64"), "/: the attribute dtype must be f32, f16 or bf16"),
    "edits_no_json": (set_attribute("/", "edits", '[{"select": "z:1"'), "the attribute edits: "),
    "edits_no_points": (set_attribute("/", "edits", "patern:1"), "/: the attribute edits must be a list in JSON, is 'patern:1'"),
    "edits_no_list": (set_attribute("/", "edits", '{"hook": "z:1"}'), "/: the attribute edits must be a list in JSON, is '{"),
    "edits_no_object": (set_attribute("/", "edits", '[{"select": "z:1", "op": "=", "value": "0"}, 3]'), "/: the attribute edits, member 1: is no object"),
    "edits_member": (set_attribute("/", "edits", '[{"select": "z:1", "opp": "=", "value": "0"}]'), "/: the attribute edits, member 0: "),
    "edits_no_value": (set_attribute("/", "edits", '[{"select": "z:1", "op": "="}]'), "/: the attribute edits, member 0: "),
    "edits_op": (set_attribute("/", "edits", '[{"select": "z:1", "op": "=>", "value": "0"}]'), "/: the attribute edits, member 0: "),
    "edits_point": (set_attribute("/", "edits", '[{"select": "zz:1", "op": "=", "value": "0"}]'), "/: the attribute edits, member 0: "),
    "edits_hook": (set_attribute("/", "edits", '[{"hook": "patern:1"}]'), "/: the attribute edits, member 0: "),
    "edits_hook_list": (set_attribute("/", "edits", '[{"hook": ["z:1"]}]'), "/: the attribute edits, member 0: hook stands alone"),
    "edits_hook_and": (set_attribute("/", "edits", '[{"hook": "z:1", "op": "="}]'), "/: the attribute edits, member 0: hook stands alone"),
    "edits_hook_first": (set_attribute("/", "edits", '[{"hook": "z:1"}, {"select": "z:1", "op": "=", "value": "0"}]'),
                         "/: the attribute edits, member 0: hook is for the last"),
    "edits_layer": (set_attribute("/", "edits", '[{"select": "z:0", "op": "=", "value": "0"}, {"select": "z:0+3", "op": "=", "value": "0"}]'),
                    "/: the attribute edits, member 1: z:0+3: layer 3 is out of range; it goes from 0 to 2"),
    "edits_head": (set_attribute("/", "edits", '[{"select": "z:1.4", "op": "=", "value": "0"}]'),
                   "/: the attribute edits, member 0: z:1.4: unit 4 is out of range; it goes from 0 to 3"),
    "edits_prompt": (set_attribute("/", "edits", '[{"select": "z:1#0", "op": "=", "value": "mean([#2+0])"}]'),
                     "/: the attribute edits, member 0: #2+0: prompt 2 is out of range; it goes from 0 to 1"),
    "edits_place": (set_attribute("/", "edits", '[{"select": "z:1", "op": "=", "value": "[z:-4]"}]'),
                    "/: the attribute edits, member 0: z:-4: layer -4 is out of range"),
    "edits_hook_layer": (set_attribute("/", "edits", '[{"hook": "z:1,pattern:5"}]'), "/: the attribute edits, member 0: pattern:5: layer 5 is out of range"),
    "edits_old_layer": (set_attribute("/", "edits", "z:1,pattern:5"), "/: the attribute edits: pattern:5: layer 5 is out of range"),
    "edits_type": (set_attribute("/", "edits", 3), "/: the attribute edits must be one string"),
    "config_type": (set_attribute("/", "config", 3), "/: the attribute config must be one string"),
    "no_tokens": (lambda f: f.__delitem__("tokens/id"), "/tokens/id: is missing"),
    "no_group": (lambda f: f.__delitem__("prompts"), "/prompts: the group is missing"),
    "no_layer": (lambda f: f.__delitem__("layer"), "/layer: the dimension is missing"),
    "unknown_point": (lambda f: f.move("activations/z", "activations/zz"), "/activations/zz: is not in the layout"),
    "unknown_group": (lambda f: f.create_group("stuff"), "/stuff: a group that is not in the layout"),
    "unlabelled": (lambda f: replace(f, "activations/z", label=False), "/activations/z: axis 0 must be labelled layer"),
    "no_scales": (lambda f: replace(f, "activations/z", attach=False),
                  "/activations/z: axis 0 must have the scale /layer attached"),
    "other_type": (lambda f: replace(f, "activations/z", dtype="f8"), "/activations/z: must hold float32, holds other"),
    "other_shape": (lambda f: replace(f, "activations/z", data=f["activations/z"][:, :, :5]),
                    "/activations/z: axis 2 has 5, the dimension pos has 12"),
    "fill": (lambda f: replace(f, "activations/z", fill=0.0),
             "/activations/z: values that are not stored must read as NaN"),
    "hook": (set_attribute("activations/z", "hook_name", "hook_z"),
             "/activations/z: the attribute hook_name must be blocks.{layer}.attn.hook_z"),
    "no_layers": (delete_attribute("activations/z", "layers"), "/activations/z: the attribute layers is missing"),
    "layers": (set_attribute("activations/z", "layers", np.array([0, 7], np.int32)),
               "/activations/z: the attribute layers must ascend from 0 to 2, has 7"),
    "hole": (set_value("activations/resid_post", (1, 0, 3, 5), NOT_STORED),
             "/activations/resid_post: layer 1, prompt 0, row 3: 1 of its 32 values are not stored"),
    "absent": (set_value("activations/resid_post", 2, NOT_STORED),
               "/activations/resid_post: layer 2 is listed as stored, but has no values"),
    "sums": (set_value("activations/pattern", (2, 1, 3, 4, 0), 0.9),
             "/activations/pattern: layer 2, prompt 1, head 3, query 4: the row sums to 1.7"),
    "id": (set_value("tokens/id", (1, 2), 50), "/tokens/id: prompt 1, token 2: id 50 is not from 0 to 49"),
    "position": (set_value("tokens/position", (0, 2), 40), "/tokens: "),
    "half_next": (lambda f: f.__delitem__("next/logit"), "/next/logit: is missing"),
    "length": (set_value("prompts/length", 0, 13), "prompt 0 has 13 tokens of at most 12"),
    "scaleless": (lambda f: f["head"].attrs.__delitem__("CLASS"), "/head: must be a dimension scale"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_validate_names_what_is_wrong(files, tmp_path, name):
    damage, finding = BROKEN[name]
    path = tmp_path / "broken.h5"
    path.write_bytes((files / "equal.h5").read_bytes())
    with h5py.File(path, "r+") as f:
        damage(f)
    checked = run("validate", path)
    assert checked.returncode == 1, checked.stderr
    assert finding in checked.stdout


@pytest.mark.parametrize("edits", [
    '[{"select": "z:1.2", "op": "=", "value": "0"}, {"select": "resid_post:1@subject", "op": "+=", "value": "2 * [#base]", "keeping": "norm"}]',
    '[{"select": "z:1.2#corrupt", "op": "*=", "value": 0.5, "along": "a.npy"}, {"hook": "resid_pre:1,pattern:0+2"}]',
    '[{"hook": "resid_pre:1"}]', "resid_pre:1,pattern:0+2", "embed"])
def test_validate_reads_edits_and_the_points_of_earlier_files(files, tmp_path, edits):
    path = tmp_path / "edited.h5"
    path.write_bytes((files / "equal.h5").read_bytes())
    with h5py.File(path, "r+") as f:
        f.attrs["edits"] = edits
    checked = run("validate", path)
    assert checked.returncode == 0, checked.stdout
    jsonschema.Draft202012Validator(SCHEMA).validate(describe(path))


def test_validate_wants_saturation_counted(files, tmp_path):
    path = tmp_path / "broken.h5"
    path.write_bytes((files / "f16.h5").read_bytes())
    with h5py.File(path, "r+") as f:
        del f["activations/z"].attrs["saturated"]
    assert "/activations/z: the attribute saturated is missing" in run("validate", path).stdout


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 600])
def test_what_is_no_hdf5_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "other.h5"
    path.write_bytes(content)
    refused = run("validate", path)
    assert refused.returncode == 3 and len(refused.stderr.splitlines()) == 1 and str(path) in refused.stderr


def test_truncated_files_are_refused(files, tmp_path):
    whole = (files / "equal.h5").read_bytes()
    path = tmp_path / "cut.h5"
    for size in range(1, len(whole), len(whole) // 40):
        path.write_bytes(whole[:size])
        assert run("validate", path).returncode == 3
