"""The text that rill is trained on: Jane Austen's six novels and the King James Bible, from two Debian packages.

The packages are downloaded and unpacked into a folder, not installed: no root is needed.
"""
import gzip
import re
import struct
import subprocess
import zlib
from pathlib import Path

PACKAGES = ("r-cran-janeaustenr", "bible-kjv", "bible-kjv-text")
R_STRINGS = 16                  # STRSXP of R's serialization
HELD_OUT, BLOCK = 40, 100       # of every 40 blocks of 100 paragraphs one is kept for validation


def fetch(folder):
    """Downloads and unpacks PACKAGES below folder/root, once. -> that folder"""
    root = folder / "root"
    if (folder / "fetched").exists():
        return root
    root.mkdir(parents=True, exist_ok=True)
    # with its own user apt may not write here; as the caller it may
    subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=", *PACKAGES], cwd=folder, check=True)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    (folder / "fetched").touch()
    return root


def r_integers(raw, at, n):
    return struct.unpack_from(f">{n}i", raw, at)


def r_strings(raw):
    """The character vector that a value of R's binary serialization (version 3, big-endian) holds."""
    if raw[:2] != b"X\n" or r_integers(raw, 2, 1) != (3,):
        raise ValueError("this is not version 3 of R's binary serialization")
    at = 14 + 4 + r_integers(raw, 14, 1)[0]                     # behind the name of the encoding
    kind, n = r_integers(raw, at, 2)
    if kind & 255 != R_STRINGS:
        raise ValueError(f"R's type {kind & 255} is no character vector")
    at, strings = at + 8, []
    for _ in range(n):
        size = r_integers(raw, at + 4, 1)[0]
        strings.append(raw[at + 8:at + 8 + size].decode())
        at += 8 + size
    return strings


def novels(root):
    """Austen's novels, each a list of lines, from the data of an R package: compressed values one behind the other."""
    data = root / "usr/lib/R/site-library/janeaustenr/data"
    index = gzip.decompress((data / "Rdata.rdx").read_bytes())
    # the index has for each a vector of two integers, its offset and size: type 13, length 2
    where = [struct.unpack(">ii", m) for m in re.findall(rb"\0\0\0\r\0\0\0\x02(.{8})", index, re.DOTALL)]
    stored = (data / "Rdata.rdb").read_bytes()
    return [r_strings(zlib.decompress(stored[at + 4:at + size])) for at, size in where]


def paragraphs(lines):
    """Lines joined up to the next empty one; the marks of emphasis taken out."""
    for block in "\n".join(lines).split("\n\n"):
        text = " ".join(block.split()).replace("_", "")
        if text:
            yield text


def verses(root):
    """The Bible, a verse a line, without the reference in front of each ("Ge1:1 ")."""
    command = [root / "usr/bin/bible", "-f", "-p", root / "usr/lib", "Gen1:1-Rev22:21"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    return [re.sub(r"^\S+\d+:\d+ ", "", line) for line in said.splitlines() if line]


def read(folder):
    """(training text, validation text), the latter made of whole blocks of paragraphs from all over the books"""
    root = fetch(Path(folder))
    parts = [text for lines in novels(root) for text in paragraphs(lines)] + verses(root)
    train, valid = [], []
    for i in range(0, len(parts), BLOCK):
        (valid if i // BLOCK % HELD_OUT == HELD_OUT - 1 else train).extend(parts[i:i + BLOCK])
    return "\n".join(train), "\n".join(valid)


if __name__ == "__main__":
    import sys
    train, valid = read(sys.argv[1])
    print(f"{len(train):,} and {len(valid):,} characters; begins {train[:300]!r}; ends {train[-200:]!r}")
