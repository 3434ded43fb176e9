"""python/weir reading files: values and shapes against h5py and against what the command line shows."""

import gc
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import weir

ROOT = Path(__file__).resolve().parents[2]
TYPES = ["f32", "f16", "bf16"]
IDS = [[5, 7, 9, 11, 100, 3, 2], [4, 5, 6]]


@pytest.fixture(scope="module")
def files(tmp_path_factory, models):
    """NAME.h5: two prompts of 7 and 3 tokens through the tiny GPT-2, with everything, in each type; and parts of that."""
    folder = tmp_path_factory.mktemp("package")
    gpt2 = models / "gpt2"
    for dtype in TYPES:
        weir.dump(IDS, gpt2, "*,result,unembed", folder / f"{dtype}.h5", next=4, dtype=dtype).close()
    weir.dump(IDS, gpt2, "pattern:1:,z:2.1+3,mlp_post:0.7,resid_post:-1,ln1_scale", folder / "parts.h5").close()
    weir.dump(IDS, gpt2, "resid_post,pattern", folder / "rows.h5", positions=slice(1, None, 3)).close()
    weir.dump(IDS, models / "mixtral", "expert_indices,expert_post,embed,resid_pre", folder / "mixtral.h5").close()
    return folder


@pytest.mark.parametrize("name", [*TYPES, "parts", "rows", "mixtral"])
def test_values_equal_what_h5py_reads(files, name):
    with weir.open(files / f"{name}.h5") as cache, h5py.File(files / f"{name}.h5") as f:
        assert list(cache.points) == list(f["activations"])
        for short, point in cache.points.items():
            values = point[...]
            assert values.dtype == (np.int32 if short == "expert_indices" else np.float32)
            np.testing.assert_array_equal(values, f["activations"][short][:], err_msg=short)


@pytest.mark.parametrize("name", [*TYPES, "parts", "rows"])
@pytest.mark.parametrize("prompt", [0, 1])
def test_values_equal_what_the_command_line_shows(files, weir_cli, name, prompt):
    path = files / f"{name}.h5"
    shown = json.loads(weir_cli("show", path, "*", "--prompt", prompt, "--json").stdout)["values"]
    one = weir.open(path).prompt(prompt)
    assert {v["short"] for v in shown} == {p for p in one.points if p != "result"}
    for value in shown:
        key = value["short"] if value["layer"] is None else (value["short"], value["layer"])
        mine = one[key]
        if value["name"].endswith("hook_scale"):
            mine = mine[..., 0]
        at = dict(zip(value["axes"], value["indices"], strict=True))
        rows = at.keys() & {"pos", "query"}
        assert [at[axis] for axis in rows] == [one.positions.tolist()]
        mine = mine[np.ix_(*[range(len(i)) if axis in rows else i for axis, i in at.items()])]
        data = np.array(value["data"], dtype=float)         # null is NaN, 1e999 infinity
        np.testing.assert_allclose(mine, data, rtol=1e-7, atol=0, err_msg=str(key))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("index", [
    (0,), (-1, 1), (slice(None), 0, -1), (..., 3), (1, ..., slice(4, 40, 7)), (slice(None, None, -1), 0),
    (slice(2), slice(None), [0, 2, 6], slice(5)), ([2, 0, 2],), (np.array([True, False, True]), ..., slice(3, 3)), (),
    (slice(2, 0, -1), slice(5, 1), slice(-3, None)), (1, 1, 1, 1), ([2, 1],), (slice(None), 0, [6, 3, 3, -2]),
    (slice(1, 2), ..., np.array([5, 40, 7])), (np.array([False, True, True]), 1),
])
def test_part_of_a_point_is_what_numpy_takes_of_all(files, dtype, index):
    point = weir.open(files / f"{dtype}.h5").points["resid_post"]
    np.testing.assert_array_equal(point[index], np.asarray(point)[index])


def test_several_lists_in_an_index_pick_each_axis_by_itself(files):
    z = weir.open(files / "bf16.h5").points["z"]
    np.testing.assert_array_equal(z[[0, 2], 0, 1, [3, 1, 0]], z[...][:, 0, 1][[0, 2]][:, [3, 1, 0]])


@pytest.mark.parametrize("index", [(3,), (0, 2), (0, 0, 0, 0, 0), (..., ...), ([3],), ("a",), (1.0,), ([[0]],)])
def test_an_index_outside_is_an_error(files, index):
    with pytest.raises((IndexError, TypeError)):
        weir.open(files / "bf16.h5").points["resid_post"][index]


def test_bfloat16_is_read_without_conversion_by_hdf5(files):
    """all 65,536 values, NaNs and infinities too, written by hand as bits"""
    path = files / "bits.h5"
    shutil.copyfile(files / "bf16.h5", path)
    bits = np.arange(1 << 16, dtype="<u2")
    with h5py.File(path, "r+") as f:
        kind = f["activations/resid_post"].id.get_type()
        made = h5py.h5d.create(f.id, b"bits", kind, h5py.h5s.create_simple(bits.shape))
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, kind)
        from weir._read import is_bfloat16, read
        assert is_bfloat16(f["bits"])
        np.testing.assert_array_equal(read(f["bits"], ...).view("u4"), bits.astype("u4") << 16)


def test_prompts_are_cut_to_their_length_and_the_batch_is_not(files):
    cache = weir.open(files / "f32.h5")
    short = cache.prompt(1)
    assert cache["pattern", 1].shape == (2, 4, 7, 7) and short["pattern", 1].shape == (4, 3, 3)
    assert cache["z", 1].shape == (2, 7, 4, 12) and short["z", 1].shape == (3, 4, 12)
    assert short["scale", 0, "ln1"].shape == (3, 1)
    for name, value in short.items():
        assert not np.isnan(value).any(), name
        whole = cache[name][1]
        rest = np.ones(whole.shape, bool)
        rest[tuple(slice(n) for n in value.shape)] = False
        np.testing.assert_array_equal(whole[~rest].reshape(value.shape), value, err_msg=name)
        assert np.isnan(whole[rest]).all(), name


def test_tokens_ids_text_positions_loss_and_next_are_those_of_the_file(files, weir_cli):
    cache = weir.open(files / "f32.h5")
    listed = json.loads(weir_cli("ls", files / "f32.h5", "--json").stdout)["prompts"]
    assert [ids.tolist() for ids in cache.ids] == IDS == [p["ids"] for p in listed]
    assert cache.tokens == [p["text"] for p in listed] and cache.text == ["", ""]
    assert [p.tolist() for p in cache.positions] == [p["positions"] for p in listed]
    np.testing.assert_allclose(cache.loss, [p["loss"] for p in listed], rtol=1e-6)
    assert cache.next.id.shape == (2, 7, 4)
    for i, one in enumerate(cache.prompts):
        assert one.tokens == cache.tokens[i] and one.loss == cache.loss[i] and one.length == len(IDS[i])
        np.testing.assert_array_equal(one.ids, cache.ids[i])
        logits = one["logits"]
        np.testing.assert_array_equal(one.next.id, np.argsort(-logits, axis=-1, kind="stable")[:, :4])
        np.testing.assert_array_equal(one.next.logit, np.take_along_axis(logits, one.next.id.astype(int), -1))
        logprob = one.next.logit - np.log(np.exp(logits.astype(float)).sum(-1, keepdims=True))
        np.testing.assert_allclose(one.next.logprob, logprob, atol=1e-5)


def test_text_and_tokens_of_a_prompt_given_as_text(tmp_path, models):
    model = tmp_path / "letters"
    model.mkdir()
    for name in "config.json", "model.safetensors":
        (model / name).symlink_to(models / "gpt2" / name)
    words = [*"abcdefghijklmnopqrstuvwxyz", "\u0120", "\u0120c", "\u0120ca", "\u0120cat", "\u00c3", "\u00a9", "-"]
    (model / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (model / "merges.txt").write_text("#version: 0.2\n\u0120 c\n\u0120c a\n\u0120ca t\n")
    cache = weir.dump(["a cat", "b \u00e9", "--x"], model, "embed")
    assert cache.tokens == [["a", " cat"], ["b", " ", "\\xc3", "\\xa9"], ["-", "-", "x"]]
    assert cache.text == ["a cat", "b \u00e9", "--x"]


def test_the_mapping_has_each_stored_point_by_its_full_name(files):
    cache = weir.open(files / "parts.h5")
    names = list(cache)
    assert names == [
        "blocks.0.ln1.hook_scale", "blocks.0.mlp.hook_post", "blocks.1.ln1.hook_scale", "blocks.1.attn.hook_pattern",
        "blocks.2.ln1.hook_scale", "blocks.2.attn.hook_pattern", "blocks.2.attn.hook_z", "blocks.2.hook_resid_post"]
    assert len(cache) == len(names) == len(set(cache.keys()))
    for name, value in cache.items():
        assert name in cache
        np.testing.assert_array_equal(value, cache[name])
    for key in ("pattern", ("pattern", 0), ("k", 1), "blocks.3.attn.hook_z", 7, None, ("pattern", "x")):
        assert key not in cache
    assert ("pattern", -1) in cache and "post0" in cache and ("scale", 1, "ln1") in cache


def test_layers_count_from_both_ends(files):
    cache = weir.open(files / "f32.h5")
    for layer in range(3):
        kept = cache.file["activations/resid_post"][layer]
        for key in (("resid_post", layer), ("resid_post", layer - 3), f"blocks.{layer}.hook_resid_post"):
            np.testing.assert_array_equal(cache[key], kept)


def test_caches_are_equal_to_themselves_alone(files):
    cache = weir.open(files / "f32.h5")
    assert cache == cache and cache != weir.open(files / "f32.h5") and len({cache, cache.prompt(0), cache}) == 2


def test_units_and_layers_that_were_not_stored_are_nan_and_said(files):
    cache = weir.open(files / "parts.h5")
    assert cache.points["z"].units == "2.1+2.3" and cache.points["z"].layers == (2,)
    stored = ~np.isnan(cache.prompt(0)["z", 2]).any(axis=(0, 2))
    assert stored.tolist() == [False, True, False, True]
    assert (~np.isnan(cache["post", 0][0]).any(axis=0)).nonzero()[0].tolist() == [7]
    assert "layers 1-2" in repr(cache) and "2.1+2.3" in repr(cache)


def test_a_subset_of_positions_has_rows_for_those_only(files):
    cache = weir.open(files / "rows.h5")
    whole = weir.open(files / "f32.h5")
    assert [p.tolist() for p in cache.positions] == [[1, 4], [1]]
    for i, one in enumerate(cache.prompts):
        at = cache.positions[i]
        np.testing.assert_array_equal(one["resid_post", 1], whole.prompt(i)["resid_post", 1][at])
        np.testing.assert_array_equal(one["pattern", 1], whole.prompt(i)["pattern", 1][:, at])


@pytest.mark.parametrize(("key", "says"), [
    ("patern", ["'patern'", "nearest: pattern", "has ln1_scale, pattern, z, mlp_post, resid_post"]),
    (("atn_out", 0), ["nearest: attn_out"]),
    (("k", 1), ["k is not stored", "dump with k in hooks"]),
    (("pattern", 0), ["pattern is not stored at layer 0", "has layers 1-2"]),
    (("resid_post", 3), ["layer 3: the model has layers 0-2"]),
    (("resid_post", -4), ["layer -4"]),
    ("pattern", ["in every block", "['pattern', LAYER]"]),
    ("blocks.1.attn.hook_nothing", ["'blocks.1.attn.hook_nothing'"]),
])
def test_a_key_that_is_not_there_is_a_keyerror_that_helps(files, key, says):
    with pytest.raises(KeyError) as raised:
        weir.open(files / "parts.h5")[key]
    assert isinstance(raised.value, weir.NotStored)
    for part in says:
        assert part in str(raised.value)


def test_a_point_outside_the_blocks_has_no_layer(files):
    with pytest.raises(KeyError, match=r"embed is outside the blocks: it has no layer"):
        weir.open(files / "f32.h5")["embed", 1]


@pytest.mark.parametrize("key", [3, None, (), ("pattern", "x"), ("pattern", 1, "attn", 2), ("pattern", 1.0)])
def test_what_is_no_key_is_a_typeerror(files, key):
    with pytest.raises(TypeError, match="a key is a name"):
        weir.open(files / "parts.h5")[key]


def test_files_that_are_not_of_weir_are_refused_in_a_line(files, tmp_path):
    with pytest.raises(FileNotFoundError):
        weir.open(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(weir.Error, match=r"text\.h5: not a file of weir"):
        weir.open(tmp_path / "text.h5")
    h5py.File(tmp_path / "other.h5", "w").close()
    with pytest.raises(weir.Error, match="no attribute weir_schema"):
        weir.open(tmp_path / "other.h5")
    for change, says in ((lambda f: f.attrs.__setitem__("weir_schema", 2), "has layout 2"),
                         (lambda f: f.__delitem__("prompts/length"), "not as docs/store.md has it"),
                         (lambda f: f["activations/embed"].attrs.__delitem__("hook_name"), "not as docs/store.md has it")):
        shutil.copyfile(files / "f32.h5", tmp_path / "broken.h5")
        with h5py.File(tmp_path / "broken.h5", "r+") as f:
            change(f)
        with pytest.raises(weir.Error, match=says):
            weir.open(tmp_path / "broken.h5")


def test_a_closed_file_says_so(files):
    with weir.open(files / "f32.h5") as cache:
        kept = cache["embed"]
        point = cache.points["embed"]
    assert kept.shape == (2, 7, 48)
    for use in (lambda: cache["embed"], lambda: point[0], lambda: cache.tokens, lambda: cache.loss, lambda: cache.next,
                cache.to_xarray):
        with pytest.raises(weir.Error, match=r"f32\.h5: closed"):
            use()
    assert "closed" in repr(cache) and "closed" in repr(cache.prompt(0))


def test_what_was_not_asked_for_at_the_dump_says_how_to_get_it(files):
    cache = weir.open(files / "parts.h5")
    with pytest.raises(weir.Error, match="next=K"):
        _ = cache.loss
    with pytest.raises(weir.Error, match="next=K"):
        _ = cache.prompt(0).next


def test_prompts_are_counted_from_both_ends(files, models):
    cache = weir.open(files / "f32.h5")
    assert cache.prompt(-1).index == 1 and len(cache.prompts) == 2
    with pytest.raises(IndexError, match="prompt 2"):
        cache.prompt(2)
    with pytest.raises(ValueError, match="2 prompts"):
        cache.remove_batch_dim()
    assert weir.dump([1, 2], models / "gpt2", "embed").remove_batch_dim()["embed"].shape == (2, 48)


def test_a_repr_shows_what_is_there_and_nothing_that_moves_the_cursor(files, tmp_path):
    shown = repr(weir.open(files / "bf16.h5"))
    assert "gpt2 (gpt2), 3 layers, 2 prompts of up to 7 tokens, bf16" in shown
    assert "pattern              [layer 3, prompt 2, head 4, query 7, key 7]       layers 0-2" in shown
    one = repr(weir.open(files / "bf16.h5").prompt(1))
    assert "3 tokens, |4|5|6|" in one and "[layer 3, head 4, query 3, key 3]" in one
    shutil.copyfile(files / "f32.h5", tmp_path / "evil.h5")
    with h5py.File(tmp_path / "evil.h5", "r+") as f:
        f.attrs["model"] = "a\x1b[2Jb\nc"
    assert "a\\x1b[2Jb\\nc (gpt2)" in repr(weir.open(tmp_path / "evil.h5"))


def test_attributes_of_points(files, tmp_path):
    shutil.copyfile(files / "f16.h5", tmp_path / "noted.h5")
    with h5py.File(tmp_path / "noted.h5", "r+") as f:
        f["activations/z"].attrs["saturated"] = 3
        f["activations/z"].attrs["compute_error"] = 0.25
        f["activations/pattern"].attrs["sinks"] = 1
    points = weir.open(tmp_path / "noted.h5").points
    assert [points[name].saturated for name in ("z", "q")] == [3, 0]
    assert [points[name].compute_error for name in ("z", "q")] == [0.25, None]
    assert [points[name].sinks for name in ("pattern", "z")] == [True, False]
    assert points["z"].ndim == 5 and len(points["z"]) == 3
    assert repr(points["z"]) == "blocks.{layer}.attn.hook_z [layer 3, prompt 2, pos 7, head 4, d_head 12], layers 0-2"
    with pytest.raises(ValueError, match="without being read"):
        np.array(points["z"], copy=False)


def test_attributes_of_the_file(files):
    cache = weir.open(files / "f16.h5")
    assert cache.model == "gpt2" and cache.n_layers == 3 and cache.config["n_embd"] == 48
    assert cache.attrs["dtype"] == "f16" and cache.attrs["family"] == "gpt2" and cache.path == str(files / "f16.h5")


def test_only_what_is_asked_for_is_read(tmp_path, models):
    """a file of which all but one layer is cut out of the disk's blocks reads that layer"""
    path = tmp_path / "run.h5"
    weir.dump([list(range(90))] * 8, models / "gpt2", "resid_post,logits", path).close()
    with h5py.File(path) as f:
        other = [f["activations/logits"].id.get_offset(), f["activations/logits"].id.get_storage_size()]
        wanted = f["activations/resid_post"][1]
    with open(path, "r+b") as raw:
        raw.seek(other[0])
        raw.write(b"\xff" * other[1])
    cache = weir.open(path)
    np.testing.assert_array_equal(cache["resid_post", 1], wanted)
    assert np.isnan(cache["logits"]).all()


def test_xarray_has_labels_and_the_same_values(files):
    cache = weir.open(files / "bf16.h5")
    data = cache.to_xarray()
    assert set(data.data_vars) == set(cache.points)
    for name, point in cache.points.items():
        assert data[name].dims == point.dims
        np.testing.assert_array_equal(data[name].values, point[...], err_msg=name)
    head = data.pattern.sel(layer=2, head=3, prompt=0)
    np.testing.assert_array_equal(head, cache["pattern", 2][0, 3])
    assert head.query_token.values.tolist() == cache.tokens[0] == head.key_token.values.tolist()
    assert data.position.values.tolist() == [list(range(7)), [0, 1, 2, -1, -1, -1, -1]]
    assert data.attrs["model"] == "gpt2"
    some = data.resid_post.isel(layer=[2, 0], pos=slice(None, None, -2), prompt=1)
    np.testing.assert_array_equal(some, cache.points["resid_post"][...][[2, 0], 1, ::-2])


def test_xarray_of_one_prompt_counts_positions(files):
    one = weir.open(files / "rows.h5").prompt(0)
    data = one.to_xarray("attn.hook_pattern", "resid_post")
    assert data.pattern.dims == ("layer", "head", "query", "key") and data.sizes["query"] == 2
    np.testing.assert_array_equal(data.pattern.sel(layer=1, query=4), one["pattern", 1][:, 1])
    assert data.token.values.tolist() == ["7", "100"] and data.key_token.values.tolist() == one.tokens
    with pytest.raises(weir.NotStored, match="nearest: pattern"):
        one.to_xarray("patern")


def test_xarray_reads_nothing_before_it_is_asked(files, monkeypatch):
    cache = weir.open(files / "f32.h5")
    seen = []
    kept = weir.Point.__getitem__
    monkeypatch.setattr(weir.Point, "__getitem__", lambda self, index: seen.append(self.name) or kept(self, index))
    data = cache.to_xarray()
    piece = data.pattern.sel(layer=1, head=0)
    assert seen == []
    _ = piece.values
    assert seen == ["pattern"]


def test_the_package_installs_from_its_folder_and_needs_h5py_and_numpy_only(tmp_path, files):
    """built from a copy, so that nothing is left in the tree; imported without what is optional"""
    shutil.copytree(ROOT / "python", tmp_path / "python", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target",
                           tmp_path / "site", tmp_path / "python"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site/weir/py.typed").exists()
    code = ("import sys\nfor name in ('xarray', 'pandas', 'matplotlib'): sys.modules[name] = None\n"
            "import weir\nc = weir.open(sys.argv[1])\nprint(weir.__file__, c['pattern', 0].shape)\n"
            "try: c.to_xarray()\nexcept ImportError as e: print(e)")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run([sys.executable, "-c", code, files / "f32.h5"], capture_output=True, text=True, env=env)
    assert ran.stdout.splitlines() == [f"{tmp_path}/site/weir/__init__.py (2, 4, 7, 7)",
                                       "to_xarray needs xarray: pip install xarray"], ran.stderr


def test_names_of_hook_points_are_those_of_points_def():
    made = subprocess.run([sys.executable, ROOT / "python/make_points.py"], capture_output=True, text=True, check=True)
    assert made.stdout == (ROOT / "python/weir/_points.py").read_text(), "run python/make_points.py"


def test_the_version_is_that_of_the_binary(weir_cli):
    version = re.search(r'^version = "(.*)"', (ROOT / "python/pyproject.toml").read_text(), re.M)[1]
    assert version in weir_cli("--version").stdout


def test_a_temporary_file_goes_with_its_cache(models):
    cache = weir.dump([1, 2, 3], models / "gpt2", "embed")
    folder = Path(cache.path).parent
    one = cache.prompt(0)
    del cache
    gc.collect()
    assert folder.exists() and one["embed"].shape == (3, 48)
    del one
    gc.collect()
    assert not folder.exists()
    with weir.dump([1, 2, 3], models / "gpt2", "embed") as cache:
        folder = Path(cache.path).parent
        assert folder.exists()
    assert not folder.exists()
