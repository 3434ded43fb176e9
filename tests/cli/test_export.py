"""weir export and the brackets of weir show: equal to what numpy makes of the datasets that h5py reads."""
import csv
import io
import json
import random
import resource
import subprocess
import zipfile

import h5py
import numpy as np
import pytest

from program import BUILD, ROOT, SANITIZED, WEIR

FILES = "whole equal unequal f16 bf16 bf16_unequal gzip_bf16 one_layer units rows".split()
USAGE, INPUT, OUTPUT = 2, 3, 5
LAYERS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    for name in FILES:
        subprocess.run([BUILD / "tests/unit/store_cli", name, folder / f"{name}.h5"], check=True)
    return folder


def weir(*args, code=0, **options):
    done = subprocess.run([WEIR, *map(str, args)], capture_output=True, **options)
    assert done.returncode == code, done.stderr.decode()
    return done


def refusal(*args, code=USAGE, **options):
    said = weir(*args, code=code, **options).stderr.decode()
    assert said.startswith("weir: ") and said.count("\n") == 1
    return said


def stored(path, name):
    """the whole dataset as float32; what is not stored is NaN (of integers -1)"""
    with h5py.File(path) as file:
        data = file["activations"][name]
        if data.dtype.kind == "i":
            return data[()]
        if data.dtype == np.float32 or data.dtype == np.float16:
            return data[()].astype("f4")
        raw = np.empty(data.shape, "u2")     # bfloat16: the upper half of a float32
        data.id.read(h5py.h5s.ALL, h5py.h5s.ALL, raw, mtype=data.id.get_type())
        return (raw.astype("u4") << 16).view("f4")


def points(path):
    with h5py.File(path) as file:
        return sorted(file["activations"])


def export(path, selection, out, *more):
    weir("export", path, selection, "-o", out, "--force", *more)
    return np.load(out)


# ---- brackets against numpy ----

def random_item(chance, size):
    def end():
        return "" if chance.random() < 0.4 else str(chance.randint(-size - 2, size + 2))
    if chance.random() < 0.3:
        return str(chance.randint(-size, size - 1))
    step = "" if chance.random() < 0.6 else ":" + chance.choice(["", "1", "2", "3", "-1", "-2", "7", "-64"])
    return f"{end()}:{end()}{step}"


def random_index(chance, shape):
    items = [random_item(chance, size) for size in shape]
    kind = chance.random()
    if kind < 0.4:      # the last axes left out
        return ", ".join(items[:chance.randint(1, len(items))])
    if kind < 0.8:      # those in the middle
        i = chance.randint(0, len(items))
        j = chance.randint(i, len(items))
        return ",".join(items[:i] + ["..."] + items[j:])
    return ",".join(items) + chance.choice(["", ","])


@pytest.mark.parametrize("name", FILES)
def test_brackets_are_numpys(folder, name):
    path, chance = folder / f"{name}.h5", random.Random(name)
    for i in range(8 if SANITIZED else 40):
        point = chance.choice(points(path))
        data = stored(path, point)
        index = random_index(chance, data.shape)
        want = eval(f"data[{index}]")
        got = export(path, f"{point}[{index}]", folder / "a.npy")
        assert got.dtype == want.dtype and got.shape == np.shape(want), (point, index)
        np.testing.assert_array_equal(got, want, f"{point}[{index}]")
        if want.size < 3000 and want.dtype == np.float32:
            value, = json.loads(weir("show", path, f"{point}[{index}]", "--json").stdout)["values"]
            shown = np.array(value["data"], "f4").reshape(want.shape)   # of no values, numpy keeps no shape
            np.testing.assert_array_equal(shown, want, f"{point}[{index}]")
            assert [len(indices) for indices in value["indices"]] == list(np.shape(want))


def test_brackets_out_of_range_name_the_axis_and_its_size(folder):
    for index, axis, size in [("3", "layer", 3), ("0, 1", "prompt", 1), ("0, 0, -24", "pos", 23), ("..., 32", "d_model", 32)]:
        said = refusal("show", folder / "whole.h5", f"resid_post[{index}]")
        assert f"out of bounds for axis {axis} with size {size}" in said
    for index, hint in [("", "not an index"), ("1,,2", "not an index"), ("...,...", "ellipsis"), ("0,0,0,0,0", "too many indices"),
                        ("::0", "step"), ("[0]", "not an index"), ("None", "not an index"), ("1.5", "not an index")]:
        assert hint in refusal("show", folder / "whole.h5", f"resid_post[{index}]"), index
    assert "already names the prompt" in refusal("show", folder / "whole.h5", "z[0]", "--prompt", "0")


def test_a_full_name_and_several_terms(folder):
    values = json.loads(weir("show", folder / "whole.h5", "blocks.1.attn.hook_z[0, 2],logits[0, 1, :3], z:0@0", "--json").stdout)
    first, second, third = values["values"]
    np.testing.assert_array_equal(first["data"], stored(folder / "whole.h5", "z")[1, 0, 2])
    np.testing.assert_array_equal(second["data"], stored(folder / "whole.h5", "logits")[0, 1, :3])
    assert (first["layer"], first["prompt"], first["axes"]) == (1, 0, ["head", "d_head"])
    assert third["axes"] == ["pos", "head", "d_head"]


def test_brackets_are_for_what_is_stored(folder):
    gpt2 = ROOT / "tests/model/fixtures/gpt2"
    said = refusal("dump", "-m", gpt2, "--tokens", "1,2", "--hooks", "z[0]", "-o", folder / "no.h5")
    assert "brackets only select stored values" in said


# ---- the selections of weir dump ----

def rows(path, prompt, choose):
    """which stored rows have the absolute positions that a Python slice chooses"""
    with h5py.File(path) as file:
        length, positions = file["prompts/length"][prompt], file["tokens/position"][prompt]
    wanted = set(np.atleast_1d(np.arange(length)[choose]).tolist())
    return [i for i, position in enumerate(positions) if position in wanted]


def test_a_number_drops_its_axis_and_a_slice_keeps_it(folder):
    path, z, out = folder / "equal.h5", stored(folder / "equal.h5", "z"), folder / "a.npy"
    np.testing.assert_array_equal(export(path, "z:1.2@-1", out), z[1, 0, -1, 2])
    np.testing.assert_array_equal(export(path, "z:1.2@-1", out, "--prompt", "-1"), z[1, 1, -1, 2])
    np.testing.assert_array_equal(export(path, "z:1:3.2+0@3:", out, "--prompt", "all"), z[1:3, :, 3:, [0, 2]])
    np.testing.assert_array_equal(export(path, "z", out, "--prompt", "all"), z)
    np.testing.assert_array_equal(export(path, "z", out), z[:, 0])
    assert export(path, "ln1_scale:0@0", out).shape == ()


@pytest.mark.parametrize("name", ["unequal", "bf16_unequal", "gzip_bf16"])
def test_prompts_of_unequal_length_end_in_nan(folder, name):
    path = folder / f"{name}.h5"
    pattern, resid = stored(path, "pattern"), stored(path, "resid_post")
    got = export(path, "pattern", folder / "a.npy", "--prompt", "all")
    assert got.shape == pattern.shape
    for prompt, n in enumerate([5, 150, 1]):
        np.testing.assert_array_equal(got[:, prompt, :, :n, :n], pattern[:, prompt, :, :n, :n])
        assert np.isnan(got[:, prompt, :, n:]).all() and np.isnan(got[:, prompt, :, :, n:]).all()
    last = export(path, "resid_post@-1", folder / "a.npy", "--prompt", "all")
    np.testing.assert_array_equal(last, np.stack([resid[:, i, n - 1] for i, n in enumerate([5, 150, 1])], 1))
    few = export(path, "resid_post@3:6", folder / "a.npy", "--prompt", "all")
    assert few.shape[:3] == (LAYERS, 3, 3)
    np.testing.assert_array_equal(few[:, 0, :2], resid[:, 0, 3:5])
    assert np.isnan(few[:, 0, 2]).all() and np.isnan(few[:, 2]).all()


def test_partial_layers_heads_and_rows(folder):
    path = folder / "one_layer.h5"
    with h5py.File(path) as file:
        layers = file["activations/z"].attrs["layers"].tolist()
    got = export(path, "z", folder / "a.npy")
    assert len(layers) == 1 and got.shape[0] == 1
    np.testing.assert_array_equal(got, stored(path, "z")[layers, 0])
    everything = export(path, "z[:]", folder / "a.npy")
    assert np.isnan(np.delete(everything, layers, 0)).all()
    np.testing.assert_array_equal(export(folder / "units.h5", "mlp_post:0", folder / "a.npy"),
                                  stored(folder / "units.h5", "mlp_post")[0, 0, :5])
    chosen = rows(folder / "rows.h5", 1, slice(0, 4))
    np.testing.assert_array_equal(export(folder / "rows.h5", "z:2@0:4", folder / "a.npy", "--prompt", "1"),
                                  stored(folder / "rows.h5", "z")[2, 1, chosen])


def test_types(folder):
    out = folder / "a.npy"
    with h5py.File(folder / "f16.h5") as file:
        halves = file["activations/z"][()]
    assert export(folder / "f16.h5", "z[:]", out).dtype == np.dtype("<f4")
    kept = export(folder / "f16.h5", "z[:]", out, "--dtype", "keep")
    assert kept.dtype == np.dtype("<f2")
    np.testing.assert_array_equal(kept.view("u2"), halves.view("u2"))
    assert export(folder / "bf16.h5", "z[:]", out, "--dtype", "keep").dtype == np.dtype("<f4")
    experts = export(folder / "unequal.h5", "expert_indices[:]", out, "--dtype", "keep")
    assert experts.dtype == np.dtype("<i4")
    np.testing.assert_array_equal(experts, stored(folder / "unequal.h5", "expert_indices"))
    with open(out, "rb") as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        assert np.lib.format.read_array_header_1_0(file)[1] is False
        assert file.tell() % 64 == 0


# ---- .npz ----

def test_npz_holds_points_and_their_labels(folder):
    path = folder / "unequal.h5"
    got = export(path, "z:1.2@-1,resid_post:0@-1,pattern:0", folder / "a.npz", "--prompt", "all")
    assert zipfile.ZipFile(folder / "a.npz").testzip() is None
    assert sorted(got) == ["pattern", "pattern_positions", "positions", "resid_post", "token_text", "tokens", "z"]
    assert got["z"].shape == (3, 8) and got["positions"].tolist() == [4, 149, 0]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(got["tokens"], np.where(file["tokens/id"][()] < 0, -1, file["tokens/id"][()]))
        np.testing.assert_array_equal(got["pattern_positions"], file["tokens/position"][()])
        text = [[token.decode() for token in prompt] for prompt in file["tokens/text"][()]]
    np.testing.assert_array_equal(got["token_text"], np.array(text))
    one = export(path, "z:1.2@-1,z:0", folder / "a.npz")
    assert sorted(one) == ["positions", "token_text", "tokens", "z", "z_2", "z_2_positions"]
    assert one["positions"].shape == () and one["positions"] == 4 and one["tokens"].shape == (5,)
    np.testing.assert_array_equal(one["z_2"], stored(path, "z")[0, 0, :5])
    mixed = export(path, "z[0, 0],resid_post[0, 1:]", folder / "a.npz")
    assert mixed["resid_post_tokens"].shape == (2, 150) and mixed["z"].shape == (150, 4, 8)


def test_unzip_reads_it_too(folder):
    export(folder / "whole.h5", "*", folder / "a.npz")
    done = subprocess.run(["python3", "-m", "zipfile", "-t", folder / "a.npz"], capture_output=True, text=True)
    assert done.returncode == 0 and "Done testing" in done.stdout


# ---- .csv ----

def table(path, selection, *more):
    text = weir("export", path, selection, "-o", "-", "--format", "csv", *more).stdout.decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_is_tidy(folder):
    path = folder / "unequal.h5"
    lines = table(path, "pattern:1.0,resid_post:0@-1,logits@0", "--prompt", "all")
    assert list(lines[0]) == ["hook", "layer", "prompt", "pos", "token", "query", "query_token", "key", "key_token", "head",
                              "d_model", "vocab", "value"]
    pattern, resid = stored(path, "pattern"), stored(path, "resid_post")
    seen = dict.fromkeys(["pattern", "resid_post", "logits"], 0)
    for line in lines:
        seen[line["hook"]] += 1
        prompt = int(line["prompt"])
        if line["hook"] == "pattern":
            want = pattern[1, prompt, 0, int(line["query"]), int(line["key"])]
        elif line["hook"] == "resid_post":
            want = resid[0, prompt, int(line["pos"]), int(line["d_model"])]
        else:
            assert line["layer"] == "" and line["head"] == ""
            continue
        assert np.float32(line["value"]) == want
    assert seen == {"pattern": 5 ** 2 + 150 ** 2 + 1, "resid_post": 3 * 32, "logits": 3 * 50}


def test_csv_quotes_tokens_and_writes_nan(folder):
    import shutil
    path = folder / "odd.h5"
    shutil.copy(folder / "whole.h5", path)
    odd = ['a,b', 'say "hi"', "two\nlines", "cr\r", "=1+1"]
    with h5py.File(path, "r+") as file:
        text = file["tokens/text"][()]
        for i, token in enumerate(odd):
            text[0, i] = token.encode()[:text.dtype.itemsize]
        file["tokens/text"][()] = text
        width = text.dtype.itemsize
        file["activations/resid_post"][0, 0, 0, :4] = [np.nan, np.inf, -np.inf, 1e-45]
    lines = table(path, "resid_post:0")
    tokens = [line["token"] for line in lines if line["d_model"] == "0"]
    assert [token.encode() for token in tokens[:5]] == [token.encode()[:width] for token in odd]
    assert [line["value"] for line in lines[:4]] == ["nan", "inf", "-inf", "1.4013e-45"]
    assert np.float32("1.4013e-45") == np.float32(1e-45)


def test_csv_leaves_out_the_ends_of_shorter_prompts(folder):
    lines = table(folder / "unequal.h5", "ln1_scale[0, :, :6]")
    assert [(line["prompt"], line["pos"]) for line in lines] == \
        [("0", str(i)) for i in range(5)] + [("1", str(i)) for i in range(6)] + [("2", "0")]


# ---- files ----

def test_one_array_to_standard_output(folder):
    got = np.load(io.BytesIO(weir("export", folder / "whole.h5", "z[0]", "-o", "-", "--format", "npy").stdout))
    np.testing.assert_array_equal(got, stored(folder / "whole.h5", "z")[0])


def test_refusals(folder, tmp_path):
    path = folder / "whole.h5"
    assert "does not end in" in refusal("export", path, "z", "-o", tmp_path / "a.txt")
    assert "write a .npz" in refusal("export", path, "z,pattern", "-o", tmp_path / "a.npy")
    assert "not in the file" in refusal("export", path, "hook_embed", "-o", tmp_path / "a.npy")
    assert "name a file" in refusal("export", path, "z", "-o", "-", "--format", "npz")
    assert "neither a whole number nor 'all'" in refusal("export", path, "z", "-o", tmp_path / "a.npy", "--prompt", "x")
    assert "out of range" in refusal("export", path, "z", "-o", tmp_path / "a.npy", "--prompt", "1")
    assert list(tmp_path.iterdir()) == []
    weir("export", path, "z", "-o", tmp_path / "a.npy")
    before = (tmp_path / "a.npy").read_bytes()
    assert "exists; use --force" in refusal("export", path, "pattern", "-o", tmp_path / "a.npy", code=OUTPUT)
    assert (tmp_path / "a.npy").read_bytes() == before
    assert "folder" in refusal("export", path, "z", "-o", tmp_path / "none" / "a.npy", code=OUTPUT)
    (tmp_path / "folder.npy").mkdir()
    assert "is a folder" in refusal("export", path, "z", "-o", tmp_path / "folder.npy", "--force", code=OUTPUT)
    assert "not a complete HDF5 file" in refusal("export", tmp_path / "a.npy", "z", "-o", tmp_path / "b.npy", code=INPUT)


def test_names_with_odd_characters(folder, tmp_path):
    for name in ["-o.npy", "a b.npy", "\u00e9\n.npy", "x" * 251 + ".npy"]:
        weir("export", folder / "whole.h5", "z:0", "-o", tmp_path / name)
        assert np.load(tmp_path / name).shape == (23, 4, 8)


@pytest.mark.parametrize("ending", ["npy", "npz", "csv"])
def test_whole_or_not_at_all(folder, tmp_path, ending):
    for size in 0, 100, 20_000:
        refusal("export", folder / "unequal.h5", "pattern", "-o", tmp_path / f"a.{ending}", "--prompt", "all", code=OUTPUT,
                preexec_fn=lambda limit=size: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk(folder, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True).returncode != 0:
        pytest.skip("a small disk can be made only where mount is allowed")
    try:
        said = refusal("export", folder / "unequal.h5", "pattern", "-o", disk / "a.npy", "--prompt", "all", code=OUTPUT)
        assert "No space left" in said and list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk])
    with open("/dev/full", "wb") as full:
        done = subprocess.run([WEIR, "export", folder / "unequal.h5", "pattern", "-o", "-", "--format", "csv"], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == OUTPUT and "standard output" in done.stderr and done.stderr.count("\n") == 1
