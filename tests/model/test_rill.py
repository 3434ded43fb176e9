"""The model that comes with weir: found without -m, the numbers of PyTorch in float64, and the circuits that
models/README.md says it has, measured here by the binary and numpy on the tokens that it names.
"""
import json
import os
import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from tokenizers import Tokenizer

import cache
from cache import FIXTURES, ROOT, WEIR, dump, weir
from measure import matches

RILL = ROOT / "models/rill"
README = ROOT / "models/README.md"
N, TEXTS, N_VOCAB = 50, 32, 4000        # the repeats that README.md's figures are of
PRINTED = 1e-3                          # one in the last printed place


def test_the_weights_are_16_bits_and_at_most_4_megabytes():
    file = RILL / "model.safetensors"
    head = file.read_bytes()
    n = int.from_bytes(head[:8], "little")
    dtypes = {entry["dtype"] for name, entry in json.loads(head[8:8 + n]).items() if name != "__metadata__"}
    assert dtypes == {"F16"} and file.stat().st_size <= 4_000_000


def test_every_hook_point_matches_pytorch_in_float64(tmp_path):
    """at no more than twice what PyTorch float32 errs at its worst"""
    with h5py.File(FIXTURES / "rill_ref.h5") as ref:
        ids, bound = ref["tokens"][...].tolist(), 2 * float(ref.attrs["float32_error"])
    matches(dump(tmp_path / "run.h5", RILL, [ids]), FIXTURES / "rill_ref.h5", bound)


# ---- circuits ----

@pytest.fixture(scope="module")
def repeats(tmp_path_factory):
    """The end-of-text token and 50 random tokens twice, 32 texts of it: patterns, and the loss of each token but the first."""
    half = np.random.default_rng([0, N]).integers(1, N_VOCAB, (TEXTS, N))
    ids = np.concatenate([np.zeros((TEXTS, 1), int), half, half], 1)
    run = dump(tmp_path_factory.mktemp("rill") / "repeats.h5", RILL, ids.tolist(), "pattern,logits")
    logits = np.stack([run("logits", prompt=i)[:-1] for i in range(TEXTS)])            # [text, pos, d_vocab]
    top = logits.max(-1, keepdims=True)
    losses = np.log(np.exp(logits - top).sum(-1)) + top[..., 0] - np.take_along_axis(logits, ids[:, 1:, None], 2)[..., 0]
    patterns = np.stack([[run("pattern", layer, i) for i in range(TEXTS)] for layer in range(run.n_layers("pattern"))])
    return patterns, losses                                                           # [layer, text, head, query, key]


def previous_scores(patterns):
    return np.diagonal(patterns, -1, -2, -1).mean((1, 3))                             # [layer, head]


def induction_scores(patterns):
    return np.diagonal(patterns, 1 - N, -2, -1)[..., -N:].mean((1, 3))


def claimed(name):
    """[layer, head]: a column of README.md's table of heads"""
    table = re.search(r"<!-- heads begins -->\n(.*?)<!-- heads ends -->", README.read_text(), re.DOTALL)[1]
    names, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return np.array([float(row[names.index(name)]) for row in rows]).reshape(1 + int(rows[-1][0]), -1)


def test_a_head_looks_at_the_previous_token_and_one_for_what_came_next(repeats):
    patterns, _ = repeats
    assert previous_scores(patterns).max() > 0.6
    assert induction_scores(patterns).max() > 0.6


def test_a_repeat_costs_less_than_half_of_what_is_new(repeats):
    _, losses = repeats
    assert losses[:, N:].mean() < losses[:, :N].mean() / 2


def test_the_readme_says_what_is_measured(repeats):
    patterns, losses = repeats
    assert np.abs(claimed("previous") - previous_scores(patterns)).max() <= PRINTED
    assert np.abs(claimed("induction") - induction_scores(patterns)).max() <= PRINTED
    said = re.search(r"loss of ([\d.]+) on the first 50 and ([\d.]+) on the second", README.read_text().replace("\n", " "))
    assert [float(x) for x in said.groups()] == pytest.approx([losses[:, :N].mean(), losses[:, N:].mean()], abs=PRINTED)


# ---- tokens ----

TEXTS_TO_CUT = ["The cat sat on the mat. The cat sat on the", "", " ", "a  b\n\n c\t", "don't I'LL 12345 x_y",
                "na\u00efve \u2014 \u65e5\u672c\u8a9e \U0001f600 e\u0301", "<|endoftext|>and <|endoftext|> again", "\u00a0\u2003end  "]


def test_tokens_are_those_of_hugging_face():
    theirs = Tokenizer.from_file(str(RILL / "tokenizer.json"))
    args = [word for text in TEXTS_TO_CUT for word in ("-p", text)]
    mine = json.loads(weir("tokens", *args, "--json").stdout)["prompts"]
    assert [prompt["ids"] for prompt in mine] == [theirs.encode(text).ids for text in TEXTS_TO_CUT]
    assert all(prompt["ids"][0] == 0 for prompt in mine), "the end-of-text token stands in front"


# ---- where it is found ----

def model_of(command, folder, **more):
    """which model a weir that is given none dumps, run from somewhere else"""
    subprocess.run([command, "dump", "-p", "In the beginning", "-o", folder / "run.h5"], check=True, capture_output=True, cwd=folder,
                   **more)
    with h5py.File(folder / "run.h5") as file:
        return file.attrs["model"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """the root of what meson installs"""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run(["meson", "install", "-C", Path(WEIR).parents[1], "--no-rebuild", "--quiet"], check=True,
                   env={**os.environ, "DESTDIR": str(root)})
    return root


def run_as_installed(root, prefix="usr/local"):
    (library,) = (root / prefix).rglob("libweir.so")
    return dict(env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)})


def test_it_is_found_from_the_build_folder(tmp_path):
    assert model_of(WEIR, tmp_path) == "rill"


def test_it_is_found_where_weir_is_installed(installed, tmp_path):
    assert model_of(installed / "usr/local/bin/weir", tmp_path, **run_as_installed(installed)) == "rill"


def test_it_is_found_through_a_link_to_weir(tmp_path):
    (tmp_path / "weir").symlink_to(WEIR)
    assert model_of(tmp_path / "weir", tmp_path) == "rill"


def test_without_it_weir_says_what_to_do(installed, tmp_path):
    moved = tmp_path / "weir"
    moved.write_bytes((installed / "usr/local/bin/weir").read_bytes())
    moved.chmod(0o755)
    for args in (["dump", "-p", "x", "-o", tmp_path / "no.h5"], ["tokens", "-p", "x"], ["hooks"], ["info"]):
        done = subprocess.run([moved, *args], capture_output=True, text=True, **run_as_installed(installed))
        assert done.returncode == 3 and "rill" in done.stderr and "-m" in done.stderr
    assert not (tmp_path / "no.h5").exists()


def test_every_command_that_takes_a_model_does_without(tmp_path):
    assert "rill" in weir("info").stdout
    assert "blocks.{layer}.attn.hook_pattern" in weir("hooks").stdout
    assert "<|endoftext|>" in weir("tokens", "-p", "hello").stdout
    assert cache.Cache(dumped(tmp_path)).n_layers("pattern") == 4
    strongest = json.loads(weir("heads", "--sort", "induction", "--top", "1", "--json").stdout)["heads"]
    assert strongest[0]["induction"] > 0.6


def dumped(folder):
    weir("dump", "-p", "hello", "-o", folder / "hello.h5")
    return folder / "hello.h5"
