"""Cache files from strangers: what was changed in them on purpose is refused in one line, at once, and nothing else is read.

Files are made by the program and changed with h5py, or by patching bytes.
"""
import json
import os
import re
import shutil
import subprocess
import zlib

import h5py
import numpy as np
import pytest

from program import BUILD, weir


COMMANDS = {"ls": [], "show": ["pattern:0"], "stats": [], "attn": [], "heads": [], "validate": [], "export": ["pattern", "-o", "o.npy",
            "--force"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strangers")
    for name in "equal", "unequal", "gzip", "units", "f16", "bf16":
        subprocess.run([BUILD / "tests/unit/store_cli", name, folder / f"{name}.h5"], check=True)
    return folder


def changed(made, tmp_path, name="equal"):
    shutil.copy(made / f"{name}.h5", tmp_path / "x.h5")
    return h5py.File(tmp_path / "x.h5", "r+")


def replace(file, path, **options):
    """The dataset made anew with other options of h5py's; attributes and scales as before."""
    old = file[path]
    attributes, labels, dtype = dict(old.attrs), [dim.label for dim in old.dims], old.dtype
    values = old[()] if "shape" not in options else None
    shape = options.pop("shape", old.shape)
    del file[path]
    new = file.create_dataset(path, shape, dtype, **options)
    if values is not None:
        new[...] = values
    for key in attributes.keys() & {"hook_name", "layers", "units", "saturated"}:
        new.attrs[key] = attributes[key]
    for i, label in enumerate(labels):
        new.dims[i].label = label
        if label in file and file[label].is_scale and len(file[label]) == shape[i]:
            new.dims[i].attach_scale(file[label])
    return new


def ask_all(folder, *words, codes=(3, 4), commands=COMMANDS, **env):
    """Every command says the words in one line, and does not hang."""
    for command in commands:
        done = weir(folder, command, "x.h5", *COMMANDS[command], env=env, seconds=60)
        said = (done.stdout if command == "validate" and done.returncode == 1 else done.stderr).decode(errors="replace")
        wanted = (1, *codes) if command == "validate" else codes
        assert done.returncode in wanted, (command, done.returncode, said)
        assert all(re.search(word, said) for word in words), (command, said)
        assert command == "validate" or said.count("\n") == 1, said


# ---- chunks that are not of their size ----

@pytest.mark.parametrize("data", [zlib.compress(bytes(64)), zlib.compress(b""), zlib.compress(bytes(1 << 22)), b"\x78\x9c", bytes(100)],
                         ids=["short", "empty", "long", "begun", "zeros"])
def test_chunks_that_decode_to_another_size(made, tmp_path, data):
    with changed(made, tmp_path) as file:
        new = replace(file, "activations/pattern", chunks=(1, 1, 2, 12, 12), compression="gzip", fillvalue=np.nan)
        new.id.write_direct_chunk((0, 0, 0, 0, 0), data)
    with h5py.File(made / "equal.h5") as file:
        assert file["activations/pattern"][0, 0, 0, 0, 0] == 1
    ask_all(tmp_path, "/activations/pattern: damaged: the chunk at .0, 0, 0, 0, 0.", codes=(3,),
            commands=("show", "stats", "attn", "heads", "validate", "export"))


OTHER = {"tokens/id": ["ls", "show", "attn", "validate"], "tokens/position": ["ls", "stats", "show", "heads", "validate"],
         "prompts/length": [*COMMANDS], "prompts/text": ["ls", "validate"], "activations/resid_post": ["stats", "validate"],
         "activations/pattern": ["stats", "attn", "heads", "show", "validate"],
         "prompts/loss": ["ls", "validate"]}


@pytest.mark.parametrize("data", [zlib.compress(bytes(3)), zlib.compress(b""), zlib.compress(bytes(1 << 20)), bytes(40)],
                         ids=["short", "empty", "long", "zeros"])
@pytest.mark.parametrize("path", OTHER)
def test_chunks_of_every_kind_of_dataset_that_decode_to_another_size(tmp_path, path, data):
    assert weir(tmp_path, "dump", "-p", "a walk to the house", "--next", "2", "--hooks", "pattern,resid_post", "-o", "x.h5").returncode == 0
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        chunks = file[path].shape
        new = replace(file, path, chunks=chunks, compression="gzip")
        new.id.write_direct_chunk((0,) * len(chunks), data)
    ask_all(tmp_path, f"/{path}: damaged: the chunk at", codes=(3,), commands=OTHER[path])


@pytest.mark.parametrize("n", [1, 64, 1151, 1153, 5000])
def test_unfiltered_chunks_of_another_size(made, tmp_path, n):
    with changed(made, tmp_path) as file:
        new = replace(file, "activations/pattern", chunks=(1, 1, 2, 12, 12), fillvalue=np.nan)
        new.id.write_direct_chunk((0, 0, 0, 0, 0), bytes(n))
    ask_all(tmp_path, "/activations/pattern: its chunks are not of their size", codes=(3,))


def test_what_h5py_writes_with_the_allowed_filters_is_read(made, tmp_path):
    with h5py.File(made / "equal.h5") as file:
        wanted = file["activations/pattern"][0, 0]
    for options in {"compression": "gzip"}, {"shuffle": True}, {"fletcher32": True}, \
                   {"compression": 9, "shuffle": True, "fletcher32": True}, {"compression": "gzip", "fletcher32": True}:
        with changed(made, tmp_path) as file:
            replace(file, "activations/pattern", chunks=(1, 1, 3, 5, 7), fillvalue=np.nan, **options)
        done = weir(tmp_path, "show", "x.h5", "pattern[0, 0]", "--json")
        assert done.returncode == 0, done.stderr
        np.testing.assert_array_equal(np.float32(json.loads(done.stdout)["values"][0]["data"]), wanted)


def test_a_checksum_that_is_wrong(made, tmp_path):
    with changed(made, tmp_path) as file:
        new = replace(file, "activations/pattern", chunks=(1, 1, 2, 12, 12), fletcher32=True, fillvalue=np.nan)
        mask, data = new.id.read_direct_chunk((0, 0, 0, 0, 0))
        new.id.write_direct_chunk((0, 0, 0, 0, 0), data[:-1] + bytes([data[-1] ^ 1]), mask)
    ask_all(tmp_path, "does not have its checksum", codes=(3,), commands=("show", "stats", "heads"))


def test_compact_values_are_refused(made, tmp_path):
    with changed(made, tmp_path) as file:
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_layout(h5py.h5d.COMPACT)
        old = file["prompts/length"]
        values, space, kind = old[()], old.id.get_space(), old.id.get_type()
        del file["prompts/length"]
        h5py.h5d.create(file.id, b"prompts/length", kind, space, dcpl=dcpl).write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    ask_all(tmp_path, "/prompts/length.*must be contiguous or chunked", codes=(3,))


# ---- ways out of the file ----

def outside(made, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file, h5py.File(made / "equal.h5") as whole:
        for name in whole["activations"]:
            whole.copy(f"activations/{name}", file)
    os.mkfifo(tmp_path / "pipe")


@pytest.mark.parametrize("target", ["secret.h5", "pipe"])
@pytest.mark.parametrize("path", ["activations/pattern", "activations", "tokens/id", "layer", "prompts/text", "prompts"])
def test_links_to_other_files(made, tmp_path, target, path):
    outside(made, tmp_path)
    with changed(made, tmp_path) as file:
        del file[path]
        file[path] = h5py.ExternalLink(target, "/pattern")
    ask_all(tmp_path, f"/?{path}.*link to another file", codes=(3,), commands=("ls", "stats", "validate"))


@pytest.mark.parametrize("through", ["/elsewhere", "/activations/z", "/missing"])
def test_soft_links(made, tmp_path, through):
    outside(made, tmp_path)
    with changed(made, tmp_path) as file:
        del file["activations/pattern"]
        file["elsewhere"] = h5py.ExternalLink("pipe", "/pattern")
        file["activations/pattern"] = h5py.SoftLink(through)
    ask_all(tmp_path, "/activations/pattern.*(soft link|link by name)", codes=(3,), commands=("ls", "show", "validate"))


@pytest.mark.parametrize("kind", ["external", "virtual"])
@pytest.mark.parametrize("path", ["activations/pattern", "tokens/id", "prompts/length", "key"])
def test_data_in_other_files(made, tmp_path, kind, path):
    outside(made, tmp_path)
    with changed(made, tmp_path) as file:
        old = file[path]
        shape, dtype = old.shape, old.dtype
        del file[path]
        if kind == "external":
            file.create_dataset(path, shape, dtype, external=[("pipe", 0, h5py.h5f.UNLIMITED)])
        else:
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource("pipe", "pattern", shape)
            file.create_virtual_dataset(path, layout)
    ask_all(tmp_path, f"/?{path}.*(outside the file|in another file|missing)", codes=(3,), commands=("ls", "stats", "validate"))


def test_links_and_data_elsewhere_below_results_are_named(made, tmp_path):
    outside(made, tmp_path)
    with changed(made, tmp_path) as file:
        file["results/a"] = h5py.ExternalLink("pipe", "/pattern")
        file["results/b"] = h5py.SoftLink("/activations/pattern")
        file.create_dataset("results/c", (3,), "f4", external=[("pipe", 0, 12)])
    findings = weir(tmp_path, "validate", "x.h5").stdout.decode()
    assert "/results/a: is a link to another file" in findings and "/results/c: its data is in another file" in findings
    assert "/results/b" not in findings
    assert weir(tmp_path, "ls", "x.h5").returncode == 0


# ---- filters ----

@pytest.mark.parametrize("filter", ["lzf", "nbit", "scaleoffset", 32015, 305])
def test_other_filters_are_refused_and_never_looked_for(made, tmp_path, filter):
    with changed(made, tmp_path) as file:
        old = file["activations/pattern"]
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_chunk((1, 1, 2, 12, 12))
        if filter == "nbit":
            dcpl.set_filter(h5py.h5z.FILTER_NBIT, h5py.h5z.FLAG_OPTIONAL)
        elif filter == "scaleoffset":
            dcpl.set_scaleoffset(h5py.h5z.SO_FLOAT_DSCALE, 2)
        elif filter == "lzf":
            dcpl.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
        else:
            dcpl.set_filter(filter, h5py.h5z.FLAG_OPTIONAL, (1, 2))
        space, kind = old.id.get_space(), old.id.get_type()
        attributes = dict(old.attrs)
        del file["activations/pattern"]
        new = h5py.h5d.create(file.id, b"activations/pattern", kind, space, dcpl=dcpl)
        for key in "hook_name", "layers":
            h5py.Dataset(new).attrs[key] = attributes[key]
        new.write_direct_chunk((0, 0, 0, 0, 0), bytes(100))
    (tmp_path / "plugins").mkdir()
    os.mkfifo(tmp_path / "plugins/libtrap.so")  # what opens it waits for ever
    ask_all(tmp_path, "/activations/pattern.*filter", codes=(4,), HDF5_PLUGIN_PATH=str(tmp_path / "plugins"))


# ---- claims ----

def test_prompts_that_claim_millions_of_tokens(made, tmp_path):
    with changed(made, tmp_path) as file:
        for name, size in ("token", 1 << 24), ("key", 1 << 24):
            del file[name]
            file.create_dataset(name, (size,), "i4", chunks=(1 << 20,), compression="gzip")
        for path in "tokens/id", "tokens/text":
            old = file[path]
            dtype = old.dtype
            del file[path]
            file.create_dataset(path, (2, 1 << 24), dtype, chunks=(1, 1 << 18), compression="gzip")
        file["prompts/length"][...] = 1 << 24
    ask_all(tmp_path, "holds less than it claims|axis", codes=(3,), commands=("ls", "stats", "attn", "heads"))


@pytest.mark.parametrize("column", ["id", "logit", "logprob"])
def test_more_next_tokens_than_are_stored(tmp_path, column):
    """a table of a million columns whose chunks are not there is not memory for them"""
    assert weir(tmp_path, "dump", "--tokens", "1,2,3", "--next", "2", "--hooks", "z@-1", "-o", "x.h5").returncode == 0
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        wide, kept = 1 << 20, {name: file[f"next/{name}"][()] for name in ("id", "logit", "logprob")}
        replace(file, "top", shape=(wide,), chunks=(wide,)).make_scale("top")
        file["top"][...] = np.arange(wide)
        for name, values in kept.items():
            new = replace(file, f"next/{name}", shape=(*values.shape[:2], wide), chunks=(1, 1, wide))
            if name != column:
                new[...] = 0
    ask_all(tmp_path, f"/next/{column}: .*holds less than it claims", codes=(3,), commands=("ls", "stats", "show"))
    done = weir(tmp_path, "next", "x.h5")
    assert done.returncode == 3 and b"holds less than it claims" in done.stderr


@pytest.mark.parametrize("path", ["tokens/text", "next/id", "next/logit", "next/logprob", "next/word_text", "next/word_id"])
def test_validate_reads_texts_and_next_tokens_to_the_end(tmp_path, path):
    """where others take a text that cannot be read for none"""
    assert weir(tmp_path, "dump", "-p", "a walk to the house", "--next", "2", "--hooks", "z@-1", "-o", "x.h5").returncode == 0
    assert weir(tmp_path, "validate", "x.h5").returncode == 0
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        new = replace(file, path, chunks=file[path].shape, compression="gzip")
        new.id.write_direct_chunk((0,) * len(new.shape), zlib.compress(b"xx"))
    done = weir(tmp_path, "validate", "x.h5")
    printed = (done.stdout + done.stderr).decode()
    assert done.returncode in (1, 3) and f"/{path}: damaged" in printed, printed


TEXTS = {"ls": [], "show": ["pattern:0"], "export": ["pattern", "-o", "o.csv"], "view": ["-o", "o.html"], "next": []}
ONE = ["--layer", "1", "--head", "0"]
TEXT_FORMS = [*TEXTS.items(), ("ls", ["--json"]), ("attn", ONE),
              ("attn", ["--json"]), ("attn", ["--top", "3"]), ("attn", ["--top", "3", "--csv"]), ("attn", [*ONE, "--svg", "o.svg"]),
              ("attn", [*ONE, "--png", "o.png"]), ("attn", ["--html", "o.html"]), ("attn", ["--query", "house"]),
              ("export", ["pattern", "-o", "o.npz"]), ("next", ["--json"])]


def with_damaged_texts(tmp_path, path):
    args = "dump", "-p", "a walk to the house", "--next", "2", "--hooks", "pattern", "-o", "x.h5"
    assert weir(tmp_path, *args).returncode == 0
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        new = replace(file, path, chunks=file[path].shape, compression="gzip")
        new.id.write_direct_chunk((0,) * len(new.shape), zlib.compress(b"xx"))


def refuses_texts(tmp_path, path, command, args):
    done = weir(tmp_path, command, "x.h5", *args)
    said = done.stderr.decode()
    assert done.returncode == 3 and f"/{path}: damaged" in said and said.count("\n") == 1, done
    assert [p.name for p in tmp_path.iterdir()] == ["x.h5"]


@pytest.mark.parametrize("command, args", TEXT_FORMS)
def test_texts_of_tokens_that_cannot_be_read_are_an_error_of_who_prints_them(tmp_path, command, args):
    with_damaged_texts(tmp_path, "tokens/text")
    refuses_texts(tmp_path, "tokens/text", command, args)


@pytest.mark.parametrize("path", ["next/word_text", "next/word_id"])
@pytest.mark.parametrize("command, args", [("next", []), ("next", ["--json"]), ("view", ["-o", "o.html"])])
def test_texts_of_likely_tokens_that_cannot_be_read_are_an_error_of_who_prints_them(tmp_path, path, command, args):
    with_damaged_texts(tmp_path, path)
    refuses_texts(tmp_path, path, command, args)


@pytest.mark.parametrize("command", ["stats", "heads", "diff"])
def test_who_prints_no_texts_reads_a_file_whose_texts_are_damaged(tmp_path, command):
    with_damaged_texts(tmp_path, "tokens/text")
    assert weir(tmp_path, command, "x.h5", *["x.h5"][:command == "diff"]).returncode == 0


@pytest.mark.parametrize("layer", [-1, 3, 2**31 - 1])
def test_a_layer_that_the_model_does_not_have(made, tmp_path, layer):
    with changed(made, tmp_path) as file:
        file["activations/pattern"].attrs["layers"] = np.int32([0, layer])
    ask_all(tmp_path, "/activations/pattern.* layers ", codes=(3,))


@pytest.mark.parametrize("shape", [(3, 2, 1 << 24, 12, 1 << 24), (3, 2, 1 << 20, 12, 12)])
def test_shapes_of_petabytes(made, tmp_path, shape):
    with changed(made, tmp_path) as file:
        for name, size in ("head", shape[2]), ("key", shape[4]), ("token", shape[4]):
            if file[name].shape[0] != size:
                del file[name]
                file.create_dataset(name, (size,), "i4", chunks=(1 << 20,))
        replace(file, "activations/pattern", shape=shape, chunks=(1, 1, 1, 12, 12), fillvalue=np.nan)
        for path in "tokens/id", "tokens/text":
            if file[path].shape[1] != shape[4]:
                dtype = file[path].dtype
                del file[path]
                file.create_dataset(path, (2, shape[4]), dtype, chunks=(1, 1 << 10))
    ask_all(tmp_path, "chunks, and stores|claims|larger than any memory", codes=(3,), commands=("ls", "stats", "attn", "heads"))


def test_a_chunk_too_large(made, tmp_path):
    with changed(made, tmp_path) as file:
        for name, size in ("d_model", 1 << 24),:
            del file[name]
            file.create_dataset(name, (size,), "i4", chunks=(1 << 20,))
        replace(file, "activations/resid_post", shape=(3, 2, 12, 1 << 24), chunks=(1, 2, 12, 1 << 24),
                compression="gzip", fillvalue=np.nan)
    ask_all(tmp_path, "resid_post.*larger than 256 MiB", codes=(3,), commands=("ls", "stats"))


def test_a_few_stored_values_in_a_large_shape_are_found_at_once(tmp_path):
    """work goes with what is stored: one head of 100,000 in a file by hand"""
    subprocess.run([BUILD / "tests/unit/store_cli", "units", tmp_path / "x.h5"], check=True)
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        pattern = file["activations/pattern"]
        values, attributes = pattern[:, :, 1:2], dict(pattern.attrs)
        del file["activations/pattern"], file["head"], file["activations/z"]
        file.create_dataset("head", (100000,), "i4", chunks=(1 << 16,)).make_scale("head")
        new = file.create_dataset("activations/pattern", (3, 3, 100000, 150, 150), "f4", chunks=(1, 1, 1, 150, 150), fillvalue=np.nan)
        new[:, :, 1:2] = values
        for key in "hook_name", "layers", "units":
            new.attrs[key] = attributes[key]
    for command in ["stats"], ["heads", "--json"], ["attn", "--top", "3"]:
        done = weir(tmp_path, *command[:1], "x.h5", *command[1:], seconds=60)
        assert done.returncode == 0, done.stderr


# ---- texts ----

def test_tokens_that_are_not_utf8_are_json_all_the_same(made, tmp_path):
    with changed(made, tmp_path) as file:
        text = file["tokens/text"][()]
        text[0, :3] = [b"\xff\xfe", b"a\xc3", b"\xed\xa0\x80"]
        file["tokens/text"][...] = text
        file.attrs["model"] = np.bytes_(b"m\xff\xc2\x9b")
        file.attrs["family"] = np.bytes_(b"\xe2\x80\xae")
    for command in ["ls"], ["show", "pattern[0, 0]"], ["attn"], ["heads"], ["stats"], ["validate"]:
        done = weir(tmp_path, command[0], "x.h5", *command[1:], "--json")
        assert done.returncode in (0, 1), done.stderr
        said = json.loads(done.stdout.decode())
        if command == ["ls"]:
            assert said["prompts"][0]["text"][:3] == ["\ufffd" * 2, "a\ufffd", "\ufffd" * 3] and said["model"] == "m\ufffd\u009b"
        assert not re.search("[\x80-\x9f\u202a-\u202e\u2066-\u2069]", done.stdout.decode())


# ---- what kills the reader ----

def test_a_reader_that_dies_is_one_line(made, tmp_path):
    """Under a limit on time the process that reads is killed, as a crash of the library would."""
    with changed(made, tmp_path, "unequal"):
        pass
    bytes_ = bytearray((tmp_path / "x.h5").read_bytes())
    at = bytes_.find(b"FRHP")  # the list of the root's attributes: a damaged one crashed libhdf5 in its own code
    bytes_[at + 9:at + 40] = b"\xff" * 31
    (tmp_path / "x.h5").write_bytes(bytes_)
    for command in "ls", "stats", "validate":
        done = weir(tmp_path, command, "x.h5", seconds=60)
        assert done.returncode in (1, 3), done
        assert (done.stderr + done.stdout).decode().count("\n") >= 1


@pytest.mark.parametrize("command", ["info", "next", *COMMANDS])
def test_a_heap_whose_objects_have_no_end_kills_no_more_than_the_reader(made, tmp_path, command):
    """libhdf5 1.10 walks out of its memory there; the file's attributes lie in such heaps."""
    data = bytearray((made / "equal.h5").read_bytes())
    at = data.find(b"GCOL")
    assert at > 0
    while at >= 0:
        data[at + 24:at + 32] = b"\xf8" + b"\xff" * 7
        at = data.find(b"GCOL", at + 4)
    (tmp_path / "x.h5").write_bytes(data)
    done = weir(tmp_path, command, "x.h5", *COMMANDS.get(command, []), seconds=60)
    assert done.returncode in (1, 3) and len((done.stdout + done.stderr).splitlines()) >= 1, done


def test_a_page_of_prompts_without_stored_positions_is_refused(made, tmp_path):
    with changed(made, tmp_path) as file:
        file["tokens/position"][...] = -1
    done = weir(tmp_path, "view", "x.h5", "-o", "o.html")
    assert done.returncode == 3 and b"no stored positions" in done.stderr and not (tmp_path / "o.html").exists(), done


def test_groups_nested_without_end_are_refused_at_once(made, tmp_path):
    """HDF5 takes a minute of the processor's time for 2,000"""
    with changed(made, tmp_path) as file:
        group = file
        for _ in range(2000):
            group = group.create_group("g")
    done = weir(tmp_path, "validate", "x.h5", seconds=5)
    assert (done.returncode, done.stderr.decode()) == (4, "weir: x.h5: its groups are nested more than 32 deep, which no file of weir's needs\n")
    assert weir(tmp_path, "ls", "x.h5").returncode == 0


def test_groups_below_results_may_be_nested(made, tmp_path):
    with changed(made, tmp_path) as file:
        file.create_group("results/" + "/".join("g" * 30))
    assert weir(tmp_path, "validate", "x.h5").returncode == 0
