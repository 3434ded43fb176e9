"""Cache files that are wrong in their structure: links, attributes, types, shapes, chunks, filters, headers.

    store_mutants.py make GOOD.h5 OUT_FOLDER N     # N of them, as seeds for fuzz_store
    store_mutants.py ask GOOD.h5 WEIR N [SEED]     # asks questions of N of them with WEIR, and prints what came of it
    store_mutants.py fuzz GOOD.h5 WEIR SECONDS FOUND_FOLDER     # the same for some time, from a seed of its own

A mutant is made by up to three changes: with h5py on what the file says, or in the bytes of one of HDF5's own structures, whose
checksum is then mended, so that the library reads on. Answers, refusals and deaths of the library (which weir answers) are
counted, and `fuzz` keeps every file on which weir itself fails: a report of a sanitizer with weir's code in front, a hang, an
exit code that weir does not have. The mutant of a seed is always the same.
"""
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

ODD = [0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 4096, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**63, 2**64 - 1]
SIGNATURES = b"OHDR OCHK TREE SNOD HEAP FRHP FHDB FHIB BTHD BTLF BTIN GCOL".split()
COMMANDS = ["ls", "--json"], ["validate"], ["stats", "--json"], ["show", "*", "--json"], ["attn", "--top", "5"], ["heads"]


# ---- what the file says, by h5py ----

def everything(file):
    found = []
    file.visit(found.append)
    return found


def some_dataset(r, file):
    return r.choice([name for name in everything(file) if isinstance(file[name], h5py.Dataset)])


def link(r, file):
    name = r.choice(everything(file))
    del file[name]
    file[name] = r.choice([h5py.ExternalLink("nothing.h5", "/x"), h5py.SoftLink("/" + name), h5py.SoftLink("/tokens/id"),
                           file["/"], h5py.SoftLink("/"), file[r.choice(everything(file))]])


def attribute(r, file):
    thing = file[r.choice(["/", some_dataset(r, file)])]
    names = list(thing.attrs)
    if not names:
        return
    value = r.choice([0, -1, 2**62, 1.5, "", "x" * 70000, np.zeros(0), np.zeros((3, 3)), np.arange(100, dtype="i8"), h5py.Empty("S4"),
                      np.bytes_(b"\xff\xfe"), [b"a", b"b"], file["/"].ref, np.float16(1), "1.0+1.1", "0:3", "9" * 300])
    name = r.choice(names)
    del thing.attrs[name]
    if r.random() < 0.8:
        thing.attrs[name] = value


def dataset(r, file):
    """the same name with another type, shape, layout or filter"""
    name = some_dataset(r, file)
    shape, dtype = list(file[name].shape), file[name].dtype
    if r.random() < 0.5 and shape:
        shape[r.randrange(len(shape))] = r.choice([0, 1, 2, 3, 100, 2**20, 2**31, 2**40])
    if r.random() < 0.2:
        shape = shape[1:] if r.random() < 0.5 else [*shape, r.choice([1, 2, 1000])]
    if r.random() < 0.3:
        dtype = r.choice(["f4", "f8", ">f4", "f2", "i4", "u1", "i8", "S3", "S200", h5py.string_dtype(), np.dtype([("a", "f4"), ("b", "i4")])])
    options = {}
    if r.random() < 0.6 and shape:
        options["chunks"] = tuple(max(1, min(n, r.choice([1, 2, 5, 64, 4096]))) for n in shape)
        options["fletcher32"], options["shuffle"] = r.random() < 0.3, r.random() < 0.3
        options["compression"] = r.choice([None, "gzip", "lzf"])
    elif np.prod(shape, dtype=float) > 1e7:
        return
    del file[name]
    new = file.create_dataset(name, shape, dtype, **options)
    if options.get("chunks") and r.random() < 0.7:
        try:
            new.id.write_direct_chunk((0,) * len(shape), bytes(r.choice([0, 1, 8, 100, 5000])), r.choice([0, 1, 7]))
        except (OSError, ValueError):
            pass


def values(r, file):
    """tables that contradict each other"""
    name = some_dataset(r, file)
    if file[name].dtype.kind in "iuf" and 0 < file[name].size < 10000:
        data = file[name][()].ravel()
        data[r.randrange(data.size)] = r.choice([-1, -2, 0, 1, 2**31 - 1, -2**31]) if data.dtype.kind in "iu" else r.choice([np.nan, np.inf])
        file[name][...] = data.reshape(file[name].shape)


# ---- what HDF5 keeps, in bytes ----

def rotate(x, k):
    return (x << k | x >> 32 - k) & 0xffffffff


def lookup3(data):
    """Bob Jenkins's hash of bytes, which HDF5 calls its checksum"""
    n, m = len(data), 0xffffffff
    a = b = c = 0xdeadbeef + n & m
    data += bytes(-n % 12)
    at = 0
    while n > 12:
        x, y, z = struct.unpack_from("<3I", data, at)
        a, b, c = a + x & m, b + y & m, c + z & m
        a = a - c & m ^ rotate(c, 4); c = c + b & m  # noqa: E702
        b = b - a & m ^ rotate(a, 6); a = a + c & m  # noqa: E702
        c = c - b & m ^ rotate(b, 8); b = b + a & m  # noqa: E702
        a = a - c & m ^ rotate(c, 16); c = c + b & m  # noqa: E702
        b = b - a & m ^ rotate(a, 19); a = a + c & m  # noqa: E702
        c = c - b & m ^ rotate(b, 4); b = b + a & m  # noqa: E702
        at, n = at + 12, n - 12
    if n:
        x, y, z = struct.unpack_from("<3I", data, at)
        a, b, c = a + x & m, b + y & m, c + z & m
        for first, second, k in ("cb", "b", 14), ("ac", "c", 11), ("ba", "a", 25), ("cb", "b", 16), ("ac", "c", 4), ("ba", "a", 14), ("cb", "b", 24):
            v = {"a": a, "b": b, "c": c}
            v[first[0]] = (v[first[0]] ^ v[second]) - rotate(v[second], k) & m
            a, b, c = v["a"], v["b"], v["c"]
    return c


def extent(data, at):
    """where the structure at `at` ends and whether a checksum stands there"""
    kind = bytes(data[at:at + 4])
    if kind == b"OHDR":
        flags, head = data[at + 5], at + 6 + 16 * (data[at + 5] >> 5 & 1) + 4 * (data[at + 5] >> 4 & 1)
        width = 1 << (flags & 3)
        return head + width + int.from_bytes(data[head:head + width], "little") + 4, True
    return {b"FRHP": (at + 146, True), b"BTHD": (at + 38, True), b"BTLF": (at + 512, False)}.get(kind, (at + 200, False))


def structure(r, data):
    """Changes a field of one of HDF5's structures; addresses become those of others."""
    places = [m.start() for kind in SIGNATURES for m in re.finditer(kind, data)] + [m.start() for m in re.finditer(rb"\x01\x00[\x01-\x20]\x00[\x01-\x03]\x00\x00\x00", data)]
    at = r.choice(places or [0])
    end, summed = extent(data, at)
    end = min(end, len(data))
    for _ in range(r.choice([1, 1, 2, 4])):
        width = r.choice([1, 1, 2, 4, 8])
        field = r.randrange(at + 4, max(at + 5, end - width - 4 * summed))
        new = r.choice([*places, len(data), r.randrange(len(data))]) if width == 8 and r.random() < 0.5 else r.choice(ODD) if r.random() < 0.7 else r.getrandbits(64)
        data[field:field + width] = (new % 256**width).to_bytes(width, "little")
    if summed and end <= len(data):
        data[end - 4:end] = lookup3(bytes(data[at:end - 4])).to_bytes(4, "little")


def mutate(r, good, path):
    shutil.copy(good, path)
    changes = [r.choice([link, attribute, dataset, values, structure, structure, structure]) for _ in range(r.choice([1, 1, 2, 3]))]
    for change in sorted(changes, key=lambda change: change is structure):
        if change is structure:
            data = bytearray(Path(path).read_bytes())
            structure(r, data)
            Path(path).write_bytes(data)
        else:
            try:
                with h5py.File(path, "r+") as file:
                    change(r, file)
            except (OSError, RuntimeError, ValueError, TypeError, KeyError):
                pass  # h5py would not: the file is as it was, or half changed
    return [change.__name__ for change in changes]


# ---- asking ----

# frames of the sanitizers and of what they stand in for
NOT_OURS = re.compile(r"__|malloc |calloc |realloc |free |mem[a-z]+ |str[a-z]+ ")


def in_library(stack):
    """whether the first frame that is not the sanitizer's own is one of libhdf5"""
    frames = [frame for frame in re.findall(r"#\d+ 0x\w+ +(?:in )?(.*)", stack) if not NOT_OURS.match(frame)]
    return bool(frames) and ("libhdf5" in frames[0] or frames[0].startswith("H5"))


def reported_by_sanitizer(said):
    """-> "library" where all that leaks, or what has crashed, is libhdf5's"""
    stacks = re.split(r"(?m)^ *(?=#0 )", said)[1:]
    count = len(stacks) if "LeakSanitizer" in said else 1
    return "library" if stacks and all(map(in_library, stacks[:count])) else f"SANITIZER {said[:3000]}"


def outcome(done):
    said = done.stderr.decode(errors="replace")
    if "Sanitizer" in said or "runtime error" in said:
        return reported_by_sanitizer(said)
    if "libhdf5 crashed" in said:
        return "library"
    if done.returncode not in (0, 1, 2, 3, 4, 6):
        return f"EXIT {done.returncode} {said[:300]}"
    return {0: "answered", 1: "findings"}.get(done.returncode, "refused")


def ask(weir, path):
    for command, *options in COMMANDS:
        try:
            done = subprocess.run([weir, command, path, *options], capture_output=True, timeout=90)
        except subprocess.TimeoutExpired:
            yield command, "HANG"
            continue
        yield command, outcome(done)


def is_finding(what):
    return not what.islower()


def try_seed(good, weir, seed, counts, found):
    """asks everything of one mutant; keeps it in the folder `found` where weir fails"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.h5"
        kinds = mutate(random.Random(seed), good, path)
        for command, what in ask(weir, path):
            counts[what.split()[0] if is_finding(what) else what] += 1
            if is_finding(what):
                print(seed, kinds, command, what, flush=True)
                if found:
                    os.makedirs(found, exist_ok=True)
                    shutil.copy(path, Path(found) / f"{seed}-{command}.h5")


def try_seeds(good, weir, seeds, found=None):
    counts, n = Counter(), 0
    for seed in seeds:
        try_seed(good, weir, seed, counts, found)
        n += 1
    print(f"{n} files, {sum(counts.values())} questions:", ", ".join(f"{count} {what}" for what, count in counts.most_common()))
    return any(map(is_finding, counts))


def until(end, seed):
    while time.monotonic() < end:
        yield seed
        seed += 1


def main(how, good, where, amount, more=None):
    if how == "make":
        os.makedirs(where, exist_ok=True)
        for i in range(int(amount)):
            mutate(random.Random(i), good, Path(where) / f"mutant{i}.h5")
        return 0
    if how == "ask":
        return try_seeds(good, where, range(int(more or 0), int(more or 0) + int(amount)))
    return try_seeds(good, where, until(time.monotonic() + float(amount), random.SystemRandom().randrange(10**9)), more)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
