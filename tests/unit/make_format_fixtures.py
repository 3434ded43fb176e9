"""Makes tests/unit/data/: types.gguf, types.safetensors, sharded/, npy/ and npz/, with the real gguf, safetensors and numpy packages.

    pip install gguf==0.19.0 safetensors torch numpy && python tests/unit/make_format_fixtures.py

types.gguf has a tensor of every type that weir reads and metadata of every kind; types.safetensors has, under the same
names, the float32 values that gguf's own dequantize makes of them. The bytes are random (a fixed seed), the scales
ordinary, negative, zero and subnormal float16 numbers.
"""

import json
import struct
import zipfile
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value
from safetensors.torch import save_file

DATA = Path(__file__).parent / "data"
RNG = np.random.default_rng(17)

# where the float16 scales of a block stand
SCALES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.IQ4_NL: [0],
    Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}  # fmt: skip


def quantized(kind: Type) -> np.ndarray:
    """Two rows of blocks, as bytes."""
    block_values, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    n = 8 if block_values == 32 else 4
    blocks = RNG.integers(0, 256, (n, block_bytes), dtype=np.uint8)
    for at in SCALES[kind]:
        scales = RNG.normal(0, 0.1, n).astype(np.float16)
        scales[0], scales[1] = 0, np.float16(3e-6)  # zero, subnormal
        blocks[:, at : at + 2] = scales.view(np.uint8).reshape(n, 2)
    return blocks.reshape(2, -1)


def plain(kind: Type) -> np.ndarray:
    x = RNG.normal(0, 1, (2, 3, 4))
    x[0, 0] = [0.0, -0.0, 6e-6, -65504.0]
    if kind == Type.BF16:
        return gguf.quants.quantize(x.astype(np.float32), kind)
    return x.astype({Type.F32: np.float32, Type.F64: np.float64, Type.F16: np.float16}[kind])


def values(data: np.ndarray, kind: Type) -> np.ndarray:
    if kind == Type.F64:
        return data.astype(np.float32)
    return np.ascontiguousarray(gguf.quants.dequantize(data, kind), dtype=np.float32)


def make_types() -> None:
    writer = gguf.GGUFWriter(DATA / "types.gguf", "llama")
    writer.add_uint8("kind.u8", 200)
    writer.add_int8("kind.i8", -100)
    writer.add_uint16("kind.u16", 60000)
    writer.add_int16("kind.i16", -30000)
    writer.add_uint32("kind.u32", 4000000000)
    writer.add_int32("kind.i32", -2000000000)
    writer.add_uint64("kind.u64", 2**64 - 1)
    writer.add_int64("kind.i64", -(2**63))
    writer.add_float32("kind.f32", 0.1)
    writer.add_float64("kind.f64", 0.1)
    writer.add_bool("kind.yes", True)
    writer.add_bool("kind.no", False)
    writer.add_string("kind.text", "gr\u00fc\u00df \U0001f30a")
    writer.add_array("array.text", ["", "a", "\u6c34"])
    writer.add_array("array.i32", [1, -2, 3])
    writer.add_array("array.f32", [0.5, -0.25])
    writer.add_array("array.bool", [True, False, True])
    writer.add_key_value("array.u8", [1, 255], Value.ARRAY, sub_type=Value.UINT8)
    writer.add_key_value("array.i64", [-(2**63), 5], Value.ARRAY, sub_type=Value.INT64)
    writer.add_key_value("array.f64", [0.1], Value.ARRAY, sub_type=Value.FLOAT64)
    expected = {}
    # F32 last: it fills its alignment, so that no byte of the file can be cut without loss
    for kind in [*SCALES, Type.F64, Type.F16, Type.BF16, Type.F32]:
        data = quantized(kind) if kind in SCALES else plain(kind)
        name = kind.name.lower()
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = torch.from_numpy(values(data, kind).copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, DATA / "types.safetensors")


def make_sharded() -> None:
    folder = DATA / "sharded"
    wide = torch.tensor([[1.0, -2.5], [0.0, 65504.0]])
    shards = {
        "model-00001-of-00002.safetensors": {"a.f32": wide, "a.f16": wide.half(), "mask": torch.tensor([True, False])},
        "model-00002-of-00002.safetensors": {"b.bf16": wide.bfloat16(), "b.f64": wide.double(), "ids": torch.arange(3)},
    }
    weight_map = {}
    for file, tensors in shards.items():
        save_file(tensors, folder / file, metadata={"format": "pt"})
        weight_map |= {name: file for name in tensors}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def make_npy() -> None:
    """Arrays that numpy saves in every version of the format; those of floats count 0, 1, 2, ... in C order."""
    count = np.arange(6).reshape(2, 3)
    fields = np.dtype([(f"field{i:05}", "<f4") for i in range(4000)])
    arrays = {
        "f4": count.astype("<f4"),
        "f8": count.astype("<f8"),
        "f2": count.astype("<f2"),
        "scalar": np.float32(5),
        "empty": np.zeros((0, 3), "<f4"),
        "fortran_row": np.asfortranarray(count.astype("<f4")[:1]),
        "fortran": np.asfortranarray(count.astype("<f4")),
        "i8": count,
        "big": count.astype(">f4"),
        "bool": count > 2,
        "fields": np.zeros(1, [("a", "<f4"), ("b", "<i4", (2,))]),
        "version2": np.zeros(0, fields),
        "version3": np.zeros(1, [("\u6c34", "<f4")]),
        "deep": np.zeros((1, 1, 1, 1, 2), "<f4"),
    }
    for name, array in arrays.items():
        np.save(DATA / "npy" / f"{name}.npy", array)


def overlapping(path: Path, n: int) -> None:
    """Members a.npy, b.npy, ..., all of which are where the first is."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(DATA / "npy" / "f4.npy", "a.npy")
    data = path.read_bytes()
    at = data.index(b"PK\1\2")
    entry, end = data[at:-22], data[-22:]
    entries = b"".join(entry.replace(b"a.npy", b"%c.npy" % (97 + i)) for i in range(n))
    counts = struct.pack("<2H2L", n, n, len(entries), at)
    path.write_bytes(data[:at] + entries + end[:8] + counts + end[20:])


def make_npz() -> None:
    """Archives that numpy and zipfile make, and a control vector; arrays of floats count 0, 1, 2, ..."""
    folder = DATA / "npz"
    arrays = {"a": np.arange(6, dtype="<f4").reshape(2, 3), "deep/b": np.arange(4, dtype="<f8"), "ids": np.arange(3)}
    np.savez(folder / "stored.npz", **arrays)
    np.savez_compressed(folder / "deflated.npz", **arrays)
    np.savez(folder / "one.npz", only=np.arange(3, dtype="<f4"))
    np.savez(folder / "empty.npz")
    for name, method in {"bzip2": zipfile.ZIP_BZIP2, "other": zipfile.ZIP_STORED}.items():
        with zipfile.ZipFile(folder / f"{name}.npz", "w", method) as archive:
            archive.write(DATA / "npy" / "f4.npy", "a.npy")
            archive.writestr("notes.txt", "no array")
    overlapping(folder / "overlapping.npz", 2)
    overlapping(folder / "bomb.npz", 20)
    with zipfile.ZipFile(folder / "torch.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    for name, tensors in {"vector": (1, 2, 3), "not_vector": (1, None)}.items():
        writer = gguf.GGUFWriter(folder / f"{name}.gguf", "controlvector")
        writer.add_string("controlvector.model_hint", "llama")
        for layer in tensors:
            shape = 4 if layer else (2, 2)
            writer.add_tensor(f"direction.{layer or 2}", np.full(shape, layer or 0, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


if __name__ == "__main__":
    for name in "sharded", "npy", "npz":
        (DATA / name).mkdir(parents=True, exist_ok=True)
    make_types()
    make_sharded()
    make_npy()
    make_npz()
