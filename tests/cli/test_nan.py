"""NaN and infinities that a model computed: kept, counted, named, and never taken for what is not stored."""
import json
import re
import shutil
import struct

import h5py
import numpy as np
import pytest

from program import ROOT, ask, weir


ABSENT = {"f32": 0x7fea0000, "f16": 0x7f50, "bf16": 0x7fea}
PLAIN = {"f32": 0x7fc00000, "f16": 0x7e00, "bf16": 0x7fc0}


def patched(folder, name, bits, tensor="h.1.mlp.c_fc.bias", index=3):
    """The tiny GPT-2, which is float16, with one weight that has these bits."""
    shutil.copytree(ROOT / "tests/model/fixtures/gpt2", folder / name)
    path = folder / name / "model.safetensors"
    data = bytearray(path.read_bytes())
    n, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    key, = (key for key in header if key.endswith(tensor))
    at = 8 + n + header[key]["data_offsets"][0] + 2 * index
    assert header[key]["dtype"] == "F16"
    data[at:at + 2] = struct.pack("<H", bits)
    path.write_bytes(data)
    return name


def raw(path, name, kind):
    """the bits of a dataset"""
    with h5py.File(path) as file:
        dataset = file[f"activations/{name}"]
        out = np.empty(dataset.shape, "<u4" if kind == "f32" else "<u2")
        dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, out, dataset.id.get_type())
        return out


def dump(folder, model, *more, **env):
    done = weir(folder, "dump", "-m", model, "--tokens", "1,2,3", "--tokens", "4,5,6,7,8", "-o", "x.h5", "--force", *more, env=env)
    assert done.returncode == 0, done.stderr.decode()
    return done.stderr.decode()


@pytest.mark.parametrize("isa", ["plain", "avx2", ""])
@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("bits", [0x7e00, 0x7f50, 0xff50, 0x7f51, 0x7c00])
def test_what_was_computed_is_told_from_what_is_not_stored(tmp_path, isa, kind, bits):
    said = dump(tmp_path, patched(tmp_path, "m", bits), "--hooks", "mlp_pre,mlp_out,resid_post,pattern:0.1", "--dtype", kind, WEIR_ISA=isa)
    what = "infinite" if bits == 0x7c00 else "NaN"
    assert re.search(rf"warning: \d+ stored values are not finite; the first, {what}, is in mlp_pre, layer 1, prompt 0, position 0", said), said
    found = {(hook["short"], layer["layer"]): layer for hook in ask(tmp_path, "stats", "x.h5")["hooks"] for layer in hook["layers"]}
    assert found["mlp_pre", 1]["nan" if what == "NaN" else "inf"] == 8
    assert found["mlp_pre", 1]["not_stored"] == 0 and found["mlp_pre", 0]["nan"] == 0 and found["resid_post", 2]["nan"] > 0
    stored = raw(tmp_path / "x.h5", "mlp_pre", kind)
    absent = stored == ABSENT[kind]
    assert absent[:, 0, 3:].all() and not absent[:, 0, :3].any() and not absent[:, 1].any()

    done = weir(tmp_path, "validate", "x.h5")
    assert done.returncode == 0, done.stdout.decode()


def test_a_sound_model_is_not_warned_of(tmp_path):
    assert "warning" not in dump(tmp_path, ROOT / "tests/model/fixtures/gpt2", "--hooks", "*,attn_scores")


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
def test_files_that_knew_one_nan_are_read_as_before(tmp_path, kind):
    dump(tmp_path, ROOT / "tests/model/fixtures/gpt2", "--hooks", "pattern:1.0+2,z@1:", "--dtype", kind)
    new = ask(tmp_path, "stats", "x.h5")
    shown = ask(tmp_path, "show", "x.h5", "pattern:1")
    data = bytearray((tmp_path / "x.h5").read_bytes())
    size = 4 if kind == "f32" else 2
    was, now = (x.to_bytes(size, "little") for x in (ABSENT[kind], PLAIN[kind]))
    with h5py.File(tmp_path / "x.h5") as file:
        for dataset in file["activations"].values():
            assert dataset.chunks and dataset.id.get_create_plist().fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED
    data = data.replace(was, now)
    (tmp_path / "x.h5").write_bytes(data)
    assert (raw(tmp_path / "x.h5", "z", kind) == PLAIN[kind]).any()
    assert ask(tmp_path, "stats", "x.h5") == new and ask(tmp_path, "show", "x.h5", "pattern:1") == shown


def test_diff_and_export_keep_them_apart(tmp_path):
    model = patched(tmp_path, "m", 0x7f50)
    dump(tmp_path, model, "--hooks", "mlp_out")
    shutil.copy(tmp_path / "x.h5", tmp_path / "y.h5")
    assert weir(tmp_path, "diff", "x.h5", "y.h5").returncode == 0
    done = weir(tmp_path, "export", "x.h5", "mlp_out", "-o", "o.npy", "--prompt", "1")
    assert done.returncode == 0, done.stderr
    bits = np.load(tmp_path / "o.npy").view("u4")
    assert not (bits == ABSENT["f32"]).any() and (bits == PLAIN["f32"]).any()


@pytest.mark.parametrize("tensor, index", [("h.1.attn.c_attn.bias", 20), ("h.0.mlp.c_proj.bias", 3), ("h.2.attn.c_attn.bias", 0)])
@pytest.mark.parametrize("bits", [0x7e00, 0x7f50, 0x7c00])
def test_every_stored_value_that_is_not_finite_is_counted(tmp_path, tensor, index, bits):
    """patterns too, of which the writer looks at one weight a row"""
    points = ["pattern", "z", "resid_post", "mlp_post"]
    printed = dump(tmp_path, patched(tmp_path, "m", bits, tensor, index), "--hooks", ",".join(points))
    with h5py.File(tmp_path / "x.h5") as file:
        values = {name: file[f"activations/{name}"][()] for name in points}
    stored = {name: v.view(np.uint32) != ABSENT["f32"] for name, v in values.items()}
    odd = {name: int((~np.isfinite(v) & stored[name]).sum()) for name, v in values.items()}
    assert odd["pattern"] > 0
    assert int(re.search(r"warning: (\d+) stored values are not finite", printed)[1]) == sum(odd.values())


@pytest.mark.parametrize("bits", [0x7e00, 0xfe00])
def test_commands_print_nan_without_a_sign_and_heads_name_what_has_no_score(tmp_path, bits):
    model = patched(tmp_path, "m", bits, "h.1.attn.c_attn.bias", 0)         # layer 1, head 0's queries
    dump(tmp_path, model, "--hooks", "pattern", "--next", "2")
    shown = weir(tmp_path, "next", "x.h5", "--prompt", "0").stdout.decode()
    assert "NaN" in shown and "-nan" not in shown and re.search(r"NaN +NaN \|", shown)
    for source in (["x.h5"], ["-m", model, "--tokens", "1,2,3", "--tokens", "4,5,6,7,8"]):
        done = weir(tmp_path, "heads", *source)
        assert done.returncode == 0 and "nan" not in done.stdout.decode() + done.stderr.decode()
        assert b"warning: the patterns of 5 of 12 heads are not finite, the first in layer 1, head 0: they have no scores" in done.stderr
    quiet = weir(tmp_path, "heads", "x.h5", "--layer", "0")
    assert b"warning" not in quiet.stderr


def test_heads_without_any_finite_pattern_are_not_said_to_have_no_matching_key(tmp_path):
    dump(tmp_path, patched(tmp_path, "m", 0x7e00, "wte.weight", 48 * 4), "--hooks", "pattern")
    done = weir(tmp_path, "heads", "x.h5", "--prompt", "1")
    assert done.stderr.decode().count("no head has a score that is a number") == 1      # previous tokens; no token is there twice
    assert done.stderr.decode().count("no query has a matching key") == 2


def test_one_token_has_no_measure_of_transformer_lens_and_prints_no_sign_of_it(tmp_path):
    (tmp_path / "one.txt").write_text("1\n")
    weir(tmp_path, "dump", "-m", ROOT / "tests/model/fixtures/gpt2", "--tokens", "7", "--hooks", "pattern", "-o", "x.h5")
    done = weir(tmp_path, "heads", "x.h5", "--detect", "one.txt")
    assert b"(mul NaN)" in done.stderr and b"nan" not in done.stderr + done.stdout and b"warning" not in done.stderr
