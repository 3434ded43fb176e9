"""Small good inputs for each fuzz target to start from: python3 tests/fuzz/seeds.py OUT_FOLDER [BUILD_FOLDER]

One folder a target. Inputs that once made a target fail are kept in tests/fuzz/found, by target, and are replayed with
these by script/test.
"""
import json
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SELECTIONS = ["*", "pattern,z:3,resid_post:-1@-1", "mlp_post:4.100+205", "blocks.*.attn.hook_pattern:0:6@::2", "z:5.3+7.2@1:-1",
              "blocks.3.hook_resid_post", "pattern:0+2+4:9:2.1:@0+1", "", ",", ":", "@", "z:.@", "logits@99999999999999999999",
              "pattern[3, 0, 5]", "resid_post[-1, 0, -3:, ::64]", "z[..., ::-2, :],z:5.3", "blocks.3.attn.hook_z[0,]", "z[", "z[]", "z[,]"]

EDITS = ["z,-z:9.9@-1,-z:7.3@s2 = mean(ref.h5[#:])", "resid_pre:4@cpos#corrupt = [@dpos#clean] along das.npz:R", "embed@subject += noise(0.3, 1)",
         "attn_scores:10:20@-1/subject = -inf", "resid_post:8@new[0:10] += 4 * love.npy keeping norm", "k_input:5.h1 -= 2*'a b.h5'[result:1.4#:]",
         "z *= resample([@:#1:9], 7)", '{"select": "z", "op": "=", "value": 0, "along": "d.npz:R", "keeping": "norm"}', "resid_*=0", "z = ~/x.npy",
         "z <= 1e", "z@\"\u00e9\" >= -1.5e-3"]

METRICS = ["logit(answer) - logit(wrong)", "kl(#base)", "sum(loss@answer)", "dot(resid_post:6@-1, love.npy)", "-2*(prob(' a', 42, b)@1:#clean - 1e-3)",
           "[z:5.3@sub[-1]#clean] + entropy", "logprob(\"\\u00e9\\n\") - rank(3)@:", "((sum(kl(#3))))", "logit(", "z:3@-1 - 2"]

# of the command that its place in cli/commands/commands.c says
OPTIONS = [(0, "-m gpt2 -p text --tokens 1,2 -o out.h5 --hooks z:0 --next 3 --dtype f16 --compress=gzip --threads 2 --force"),
           (0, "-mgpt2 -o out.h5 --bos maybe --next 0"), (2, "-m gpt2 -p -- -f -"), (3, "run.h5 --check --json"), (4, "-h"),
           (5, "run.h5 z[0] --prompt -1 --json"), (6, "run.h5 z -o a.npz --prompt all --dtype keep --format npy"),
           (8, "run.h5 -l -1 -H3 --layer 2"), (10, "a.h5 b.h5 -t 1e-4 --tolerance=nan"), (11, "--josn"), (7, "a b c d")]

# prompts as lines of JSON
LINES = ['{"prompt": "act", "id": "first", "n": 12345678901234567890, "x": -1.50e+3}\n{"ids": [3, 4] , "prompt": null}\n',
         '{"text":"a cat","tokens":["a"," cat"],"nested":{"a":[1,{"b":null,"c":[]}]}}', ' {"tokens": [5]}\r\n\n{"ids":[],"text":""}',
         '{"ids":[6,7],"tokens":[1],"text":"gh","label":"\\u00e9 \\"q\\" \\ud83d\\ude00 \\\\ \u6f22"}', '{"prompt": "a", "x": tru}', '[1]']


def byte_level(**model):
    """GPT-2's kind with a few merges"""
    words = ["a", "b", "c", "\u0120", "\u0120a", "ab", "abc", "<s>"]
    return {"added_tokens": [{"id": 7, "content": "<s>", "special": True, "lstrip": True, "rstrip": False, "single_word": False,
                              "normalized": False}],
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                                                        {"Sequence": {"id": "A", "type_id": 0}}],
                               "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [7], "tokens": ["<s>"]}}},
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": {word: i for i, word in enumerate(words)},
                      "merges": ["\u0120 a", "a b", "ab c"], **model}}


def tokenizers():
    """tokenizer.json documents of different kinds"""
    plain = byte_level()
    sentences = byte_level(byte_fallback=True, fuse_unk=True, unk_token="<s>")
    sentences["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
                                                                   {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}
    sentences["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    split = byte_level(ignore_merges=True)
    split["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|\s+(?!\S)|\s+"}, "behavior": "Isolated",
         "invert": False}, {"type": "Digits", "individual_digits": True}]}
    return [plain, sentences, split]


def field(number, value):
    """one field of a protobuf message: a whole number, a float or bytes"""
    if isinstance(value, int):
        return bytes([number << 3, value])
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    return bytes([number << 3 | 2, len(value)]) + value


def sentencepiece(kind):
    """a tokenizer.model; kind 1: Unigram, 2: BPE"""
    special = [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<0x41>", 6)]
    words = [(word, 1) for word in ("\u2581", "a", "b", "\u2581a", "ab", "\u2581ab")]
    pieces = [field(1, field(1, text.encode()) + field(2, -float(i)) + field(3, type))
              for i, (text, type) in enumerate(special + words)]
    trainer = field(3, kind)
    return b"".join(pieces) + field(2, trainer) + field(3, field(1, b"identity") + field(3, 1) + field(4, 1) + field(5, 1))


def copy(folder, files):
    for i, path in enumerate(files):
        shutil.copy(path, folder / f"{i}{path.suffix}")


def write(folder, texts):
    for i, text in enumerate(texts):
        (folder / str(i)).write_bytes(text if isinstance(text, bytes) else text.encode())


def specs(folder):
    """the examples of run specs, each behind the number of its command"""
    for path in sorted((ROOT / "schemas/examples/run").glob("*.json")):
        command = ["run", "dump", "patch"].index(path.stem.split("_")[1])
        (folder / path.name).write_bytes(bytes([command]) + path.read_bytes())


def stores(folder, build):
    for name in "whole", "equal", "f16", "rows":
        subprocess.run([build / "tests/unit/store_cli", name, folder / f"{name}.h5"], check=True)
    lines = folder / "lines"
    lines.write_text('{"ids": [1, 2, 3], "id": 7}\n{"ids": [4, 5]}\n')
    subprocess.run([build / "cli/weir", "dump", "-m", ROOT / "tests/model/fixtures/llama", "-f", lines, "--next", "2",
                    "--hooks", "pattern:0:2.0+1,z:1,resid_post@-1", "--force", "-o", folder / "dumped.h5"], check=True)
    lines.unlink()


def main(out, build):
    data, fixtures = ROOT / "tests/unit/data", ROOT / "tests/model/fixtures"
    seeds = {
        "api": lambda folder: write(folder, [random.Random(i).randbytes(40 + 20 * i) for i in range(8)]),
        "config": lambda folder: copy(folder, sorted(fixtures.glob("*/config.json"))),
        "edit": lambda folder: write(folder, EDITS),
        "gguf": lambda folder: copy(folder, sorted(data.glob("**/*.gguf"))),
        "jsonl": lambda folder: write(folder, LINES),
        "metric": lambda folder: write(folder, METRICS),
        "npy": lambda folder: copy(folder, sorted(data.glob("npy/*.npy"))),
        "npz": lambda folder: copy(folder, sorted(data.glob("npz/*.npz"))),
        "options": lambda folder: write(folder, [bytes([i]) + words.replace(" ", "\0").encode() for i, words in OPTIONS]),
        "safetensors": lambda folder: copy(folder, sorted(data.glob("**/*.safetensors"))),
        "selection": lambda folder: write(folder, SELECTIONS),
        "sentencepiece": lambda folder: write(folder, map(sentencepiece, (1, 2))),
        "spec": specs,
        "store": lambda folder: stores(folder, build),
        "tokenizer_json": lambda folder: write(folder, map(json.dumps, tokenizers())),
    }
    for name, make in seeds.items():
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "build")
