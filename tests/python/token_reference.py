"""What the tests of tokenizers share: weir's ids through token_cli, Hugging Face's, tokenizers trained on the spot.

WEIR_BUILD: the build folder (default build). WEIR_CACHE: where downloads are kept (default .cache).
"""
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import tempfile

import pytest
from tokenizers import Regex, Tokenizer, pre_tokenizers, trainers

import token_texts

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("WEIR_CACHE", ROOT / ".cache"))
CLI = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build")) / "tests" / "python" / "token_cli"


def run(path, texts, mode="no", seconds=None):
    """seconds: of the processor's time, after which it is killed"""
    data = b"".join(struct.pack("<I", len(t)) + t for t in (x if isinstance(x, bytes) else x.encode() for x in texts))
    done = subprocess.run([CLI, path, mode], input=data, capture_output=True,
                          preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))) if seconds else None)
    return done.returncode, done.stderr.decode(), done.stdout


def ids_of(path, texts, mode="no"):
    code, message, out = run(path, texts, mode)
    assert code == 0, message
    lists, at = [], 0
    for _ in texts:
        n = struct.unpack_from("<I", out, at)[0]
        lists.append(list(struct.unpack_from(f"<{n}i", out, at + 4)))
        at += 4 + 4 * n
    assert at == len(out)
    return lists


def compare(path, reference, texts=None, mode="no", special=False):
    texts = token_texts.all_texts() if texts is None else texts
    ours = ids_of(path, texts, mode)
    theirs = [e.ids for e in reference.encode_batch(texts, add_special_tokens=special)]
    wrong = [(t, a, b) for t, a, b in zip(texts, ours, theirs) if a != b]
    shown = "\n".join(f"{ascii(t)}\n  weir       {a}\n  tokenizers {b}" for t, a, b in wrong[:5])
    assert not wrong, f"{len(wrong)} of {len(texts)} differ\n{shown}"


def save(tmp_path, tokenizer):
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def trained(tokenizer, size=1500, alphabet=True, special=("<|endoftext|>",), **options):
    letters = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=letters, special_tokens=list(special),
                                  show_progress=False, **options)
    tokenizer.train_from_iterator(token_texts.corpus(), trainer)
    return tokenizer


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def change(tokenizer, **model):
    """The same tokenizer with other options of its model."""
    data = json.loads(tokenizer.to_str())
    data["model"].update(model)
    return Tokenizer.from_str(json.dumps(data))


def bytes_of(path):
    """What each token stands for, by id; None for an id that is none."""
    code, message, out = run(path, [], "bytes")
    assert code == 0, message
    at, tokens = 0, []
    while at < len(out):
        n = struct.unpack_from("<I", out, at)[0]
        kept = 0 if n == 0xFFFFFFFF else n
        tokens.append(None if n == 0xFFFFFFFF else out[at + 4:at + 4 + kept])
        at += 4 + kept
    return tokens


def fetch(command, result):
    """Runs a downloader, once; skips when it cannot get what the test needs. The result appears whole: tests run side by side."""
    if not result.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed, and {result} is not there")
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
            if done.returncode or not (pathlib.Path(scratch) / result.name).exists():
                pytest.skip(f"offline? {' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
            os.replace(pathlib.Path(scratch) / result.name, result)
    return result


def gguf_file(path, model, pre, tokens, types, merges=None, scores=None, **ids):
    from gguf import GGUFWriter
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if merges:
        writer.add_token_merges(merges)
    if scores:
        writer.add_token_scores(scores)
    for name, value in ids.items():
        getattr(writer, "add_" + name)(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path
