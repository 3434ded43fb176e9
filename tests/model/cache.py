"""Running the weir that is under test, and reading what it wrote, for the tests of this folder."""
import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(__file__).resolve().parent / "fixtures"
WEIR = os.environ.get("WEIR", str(ROOT / "build/cli/weir"))


def weir(*args, env=None, check=True):
    """Runs weir; a failure shows the command and all that it said."""
    command = [WEIR, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
    if check and done.returncode != 0:
        shown = " ".join(word if len(word) < 200 else word[:60] + "..." for word in command)
        raise AssertionError(f"{shown}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def dump(out, model, prompts, hooks="*", env=None, **options):
    """`weir dump` of prompts given as token ids -> the Cache"""
    args = ["dump", "-m", model, "--hooks", hooks, "-o", out]
    for ids in prompts:
        args += ["--tokens", ",".join(map(str, ids))]
    for name, value in options.items():
        args += ["--" + name, value]
    weir(*args, env=env)
    return Cache(out)


class Cache:
    """An open cache file: cache("pattern", layer=1, prompt=0) is [head, query, key], as long as the prompt."""

    def __init__(self, path):
        self.file = h5py.File(path, "r")
        self.names = sorted(self.file["activations"])
        self.lengths = [int((ids >= 0).sum()) for ids in self.file["tokens/id"][...]]

    def __call__(self, name, layer=None, prompt=0):
        value = self.whole(name, layer, prompt)
        n = self.lengths[prompt]
        return value[:, :n, :n] if name in ("pattern", "attn_scores") else value[:n]

    def whole(self, name, layer=None, prompt=0):
        """padding and all, float64"""
        data = self.file["activations"][name]
        return np.asarray(data[prompt] if layer is None else data[layer, prompt], np.float64)

    def n_layers(self, name="resid_pre"):
        return self.file["activations"][name].shape[0]

    def layers(self, name):
        """what to pass as `layer`: every layer, or None for a point outside blocks"""
        hook = self.file["activations"][name].attrs["hook_name"]
        hook = hook.decode() if isinstance(hook, bytes) else str(hook)
        return range(self.n_layers(name)) if "{layer}" in hook else [None]


def config(folder):
    return json.loads((Path(folder) / "config.json").read_text())


def weights(folder):
    """every tensor of a model folder as float32, shards joined"""
    tensors = {}
    for file in sorted(Path(folder).glob("*.safetensors")):
        raw = file.read_bytes()
        n = int.from_bytes(raw[:8], "little")
        for name, entry in json.loads(raw[8:8 + n]).items():
            if name == "__metadata__" or entry["dtype"] in ("BOOL", "U8"):   # buffers, packed values
                continue
            begin, end = (8 + n + at for at in entry["data_offsets"])
            data = raw[begin:end]
            if entry["dtype"] == "BF16":
                x = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
            else:
                x = np.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[entry["dtype"]]).astype(np.float32)
            tensors[name] = x.reshape(entry["shape"])
    return tensors


def write_weights(folder, tensors):
    """Writes float32 tensors as folder/model.safetensors."""
    header, at = {}, 0
    for name, x in tensors.items():
        header[name] = dict(dtype="F32", shape=list(x.shape), data_offsets=[at, at + 4 * x.size])
        at += 4 * x.size
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    body = b"".join(np.ascontiguousarray(x, "<f4").tobytes() for x in tensors.values())
    (Path(folder) / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + body)
