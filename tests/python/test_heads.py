"""weir heads against TransformerLens's own head detector: on the patterns of data/heads.h5 its scores are kept in
data/heads.json (make_heads.py), and the slow test asks the package itself."""
import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import make_heads

ROOT = Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build/cli/weir"))
DATA = make_heads.DATA
EXPECTED = json.loads((DATA / "heads.json").read_text())


def heads(*args):
    done = subprocess.run([WEIR, "heads", *map(str, args), "--json"], capture_output=True, check=True)
    return json.loads(done.stdout)["heads"]


def agree(found, scores):
    """each score of [layer, head], to 1e-6"""
    for name, expected in scores.items():
        got = np.full(np.shape(expected), np.nan)
        for head in found:
            got[head["layer"], head["head"]] = head[name]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6, err_msg=name)


def name_of(case):
    return " ".join(case["flags"]) or "nothing excluded"


@pytest.mark.parametrize("case", EXPECTED["named"], ids=name_of)
def test_named_heads_score_as_in_transformer_lens(case):
    assert len(case["scores"]) == 6
    agree(heads(DATA / "heads.h5", *case["flags"]), case["scores"])


@pytest.mark.parametrize("form", ["npy", "npy by columns, f8", "text", "csv"])
@pytest.mark.parametrize("case", EXPECTED["matrix"], ids=name_of)
def test_a_matrix_from_a_file_scores_as_in_transformer_lens(case, form, tmp_path):
    wanted, path = np.load(DATA / "heads.npy"), DATA / "heads.npy"
    if form == "npy by columns, f8":
        np.save(path := tmp_path / "wanted.npy", np.asfortranarray(wanted.astype("f8")))
    elif form != "npy":
        np.savetxt(path := tmp_path / "wanted.txt", wanted, delimiter="," if form == "csv" else " ")
    agree(heads(DATA / "heads.h5", "--prompt", "0:2", "--detect", path, *case["flags"]), case["scores"])


def ours(prompts, keys):
    """weight on keys(ids, query), mean over the queries that have some"""
    rows = [patterns[..., query, sorted(found)].sum(-1) for ids, patterns in prompts for query in range(len(ids))
            if (found := keys(list(ids), query))]
    return np.mean(np.array(rows, "f8"), axis=0)


@pytest.mark.parametrize("excluded", [(), ("--exclude-bos",), ("--exclude-current-token",)], ids=str)
def test_the_first_score_divides_by_the_queries_that_have_a_match(excluded):
    def kept(keys):
        return lambda ids, query: {key for key in keys(ids, query) if not (excluded == ("--exclude-bos",) and key == 0) and
                                   not (excluded == ("--exclude-current-token",) and key == query)}
    prompts = list(make_heads.read(DATA / "heads.h5"))
    agree(heads(DATA / "heads.h5", *excluded), {
        "previous": ours(prompts, kept(lambda ids, query: {query - 1} - {-1})),
        "duplicate": ours(prompts, kept(lambda ids, query: {key for key in range(query) if ids[key] == ids[query]})),
        "induction": ours(prompts, kept(lambda ids, query: {key + 1 for key in range(query) if ids[key] == ids[query]})),
    })


def test_a_model_scores_as_its_stored_patterns():
    tokens = [word for ids in make_heads.PROMPTS for word in ("--tokens", ",".join(map(str, ids)))]
    stored = heads(DATA / "heads.h5")
    for name in stored[0]:
        if not name.endswith("_abs"):       # which is rounded: one more or less in the last place is another number
            np.testing.assert_allclose([head[name] for head in heads("-m", make_heads.MODEL, *tokens)],
                                       [head[name] for head in stored], rtol=1e-5, err_msg=name)


def test_selected_layers_heads_and_prompts_are_those_of_the_whole():
    whole = {(head["layer"], head["head"]): head for head in heads(DATA / "heads.h5", "-p", "-1")}
    some = heads(DATA / "heads.h5", "-p", "2", "-l", "0+2", "-H", "1:3")
    assert [(head["layer"], head["head"]) for head in some] == [(0, 1), (0, 2), (2, 1), (2, 2)]
    assert all(head == whole[head["layer"], head["head"]] for head in some)


def test_random_tokens_are_said_twice_and_follow_from_the_seed():
    args = ["-m", make_heads.MODEL, "--length", 20, "--sequences", 3]
    first = heads(*args)
    assert first == heads(*args, "--seed", 0) and first != heads(*args, "--seed", 1)
    assert all(head["queries"] == 2 * 20 * 3 and head["previous_queries"] == 39 * 3 for head in first)
    assert all(20 * 3 <= head["induction_queries"] == head["duplicate_queries"] < 30 * 3 for head in first)
    assert {head["queries"] for head in heads("-m", make_heads.MODEL)} == {96 * 8}, "as long as its context of 96 holds"


def test_random_tokens_stand_behind_bos_and_do_not_repeat_it(tmp_path):
    for name in "config.json", "model.safetensors":
        (tmp_path / name).symlink_to(make_heads.MODEL / name)
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "<s>": 1, "b": 2}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "add_bos_token": False}))
    found = heads("-m", tmp_path, "--length", 40, "--sequences", 4)
    assert {head["queries"] for head in found} == {81 * 4}
    tokens = heads("-m", tmp_path, "--length", 40, "--sequences", 4, "--exclude-bos")
    assert [head["induction_queries"] for head in tokens] == [head["induction_queries"] for head in found]
    assert [head["duplicate_queries"] for head in tokens] == [head["duplicate_queries"] for head in found], "BOS is once"


def npy(array, **header):
    """the bytes of a .npy file, its header changed"""
    file = io.BytesIO()
    words = dict(descr=array.dtype.str, fortran_order=False, shape=array.shape) | header
    np.lib.format.write_array_header_1_0(file, words)
    return file.getvalue() + array.tobytes()


EYE = np.eye(12, dtype="f4")
BAD = {
    "one axis": (npy(EYE[0]), "shape"),
    "three axes": (npy(EYE[None]), "shape"),
    "not square": (npy(EYE[:6]), "6 by 12"),
    "complex": (npy(EYE.astype("c8")), "its type"),
    "big-endian": (npy(EYE.astype(">f4")), "its type"),
    "empty": (npy(EYE[:0]), "shape"),
    "less than it claims": (npy(EYE)[:-1], "byte"),
    "far less": (npy(EYE, shape=(2**20, 2**20)), "byte"),
    "past all memory": (npy(EYE, shape=(2**40, 2**40)), "shape"),
    "past 64 bits": (npy(EYE, shape=(2**70, 2**70)), "shape"),
    "cut in its header": (npy(EYE)[:20], "byte"),
    "a key without a value": (b"\x93NUMPY\x01\x00\x08\x00'descr':", "its type"),
    "no header": (b"\x93NUMPY\x01\x00\x00\x00", "its type"),
    "keys behind the query": (npy(EYE[::-1].copy()), "query 0, key 11"),
    "infinite": (npy(np.where(EYE, np.inf, 0).astype("f4")), "query 0, key 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_matrix_that_is_none_is_refused_by_name(name, tmp_path):
    content, word = BAD[name]
    (tmp_path / "bad.npy").write_bytes(content)
    done = subprocess.run([WEIR, "heads", DATA / "heads.h5", "-p", "0", "--detect", tmp_path / "bad.npy"],
                          capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "bad.npy: " in done.stderr and word in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_package_itself_agrees_on_a_new_file(tmp_path):
    path = tmp_path / "new.h5"
    tokens = [word for seed in range(3) for word in
              ("--tokens", ",".join(map(str, np.tile(np.random.default_rng(seed).integers(0, 211, 20), 2))))]
    subprocess.run([WEIR, "dump", "-m", make_heads.MODEL, *tokens, "--hooks", "pattern", "-o", path], check=True)
    done = subprocess.run([ROOT / "script/oracle", make_heads.__file__, path], capture_output=True, check=True)
    for case in json.loads(done.stdout):
        agree(heads(path, *case["flags"]), case["scores"])
