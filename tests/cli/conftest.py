"""For the tests of the command line: a folder of small files and models."""
import json
import subprocess

import pytest

from program import BUILD, FIXTURES

FILES = "whole equal unequal f16 units rows one_layer".split()
MATRICES = {"two": "1 0\n0.5 0.5\n", "upper": "1, 2\n0, 1\n\n", "ragged": "1 0\n0.5\n", "wide": "1 0 0\n0 1 0\n",
            "nan": "1 0\r\n0 nan\r\n"}


def add_tokenizer(folder):
    """`letters`: the tiny GPT-2 with a byte-level BPE of small letters that knows " cat"."""
    model = folder / "letters"
    model.mkdir()
    for name in "config.json", "model.safetensors":
        (model / name).symlink_to(folder / "gpt2" / name)
    words = [*"abcdefghijklmnopqrstuvwxyz", "\u0120", "\u0120c", "\u0120ca", "\u0120cat"]
    (model / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (model / "merges.txt").write_text("#version: 0.2\n\u0120 c\n\u0120c a\n\u0120ca t\n")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where the sessions run: small files of known values, and the models of tests/model by their names."""
    folder = tmp_path_factory.mktemp("cli")
    for name in FILES:
        subprocess.run([BUILD / "tests/unit/store_cli", name, folder / f"{name}.h5"], check=True)
    for model in FIXTURES.iterdir():
        if model.is_dir():
            (folder / model.name).symlink_to(model)
    (folder / "text.txt").write_bytes(b"one\r\n\r\ntwo\n")
    (folder / "bad.txt").write_bytes(b"cat\nca\xfft\n")
    (folder / "crlf.txt").write_bytes(b"a cat\r\nact")
    for name, text in MATRICES.items():
        (folder / f"{name}.txt").write_text(text)
    add_tokenizer(folder)
    return folder
