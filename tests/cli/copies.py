"""Copies of the tiny models of tests/model, changed in one thing, and dumps of them with little memory."""
import json
import os
import resource
import shutil
import struct
import subprocess

from program import FIXTURES, SANITIZED, WEIR


def little_memory():
    """what cannot be right must not be allocated for first; sanitizers need all addresses"""
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


def weir_limited(*args, env=None):
    clean = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")}
    return subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True, errors="replace",
                          env={**clean, "HF_HOME": "/none", **(env or {})}, preexec_fn=little_memory)


def dump(model, out, *args, env=None):
    return weir_limited("dump", "-m", model, "-o", out, *(args or ("--tokens", "5,7,9")), env=env)


def refused(done, code, *words, folder=None):
    """exit code, one line with all the words, no output and no partial file in the folder"""
    assert done.returncode == code, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("weir: ")]
    assert len(lines) == 1 and done.stderr.splitlines()[-1] == lines[0], done.stderr
    for word in words:
        assert word in lines[0], f"{word!r} is not in {lines[0]!r}"
    if folder is not None:
        left = [p.name for p in folder.iterdir() if "out" in p.name]
        assert not left, left


# ---- copies ----

def copy_of(tmp_path, family="llama", name="model"):
    folder = tmp_path / name
    shutil.copytree(FIXTURES / family, folder, ignore=shutil.ignore_patterns("ref_*"))
    return folder


def read_safetensors(path):
    data = path.read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + n]), data[8 + n:]


def write_safetensors(path, header, data, length=None):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def load(path):
    """every tensor's dtype, shape and bytes by its name (numpy has no bfloat16)"""
    header, data = read_safetensors(path)
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def save(tensors, path):
    header, data = {}, b""
    for name, (dtype, shape, values_) in tensors.items():
        header[name] = dict(dtype=dtype, shape=list(shape), data_offsets=[len(data), len(data) + len(values_)])
        data += values_
    write_safetensors(path, header, data)


def change(folder, edit=None, **config):
    """the tensors through `edit`, which gets them by name, and keys of config.json set"""
    if edit:
        path = next(folder.glob("*.safetensors"))
        tensors = load(path)
        save(edit(tensors) or tensors, path)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return folder
