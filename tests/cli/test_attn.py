"""weir attn: what is chosen and computed against numpy on the stored numbers, and its pictures.

Expected pictures stand in data/; WEIR_UPDATE=1 writes them anew: look at them before you commit them.
"""
import csv
import io
import itertools
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from test_cli import ask, folder, on_terminal, weir  # noqa: F401 (folder is a fixture)

DATA = Path(__file__).resolve().parent / "data"
WORDS = ["The", " cat", " sat", ".\n", " cat"]
HOSTILE = ['"><script>', "</svg>&amp;'", "\x1b[31m\x01", "\u202eevil\u2066", "\ufffe\u200b"]
SVG = "{http://www.w3.org/2000/svg}"


def pattern(layer, head, n):
    """a causal pattern [n, n] unlike that of other heads, the same everywhere"""
    query, key = np.arange(n)[:, None], np.arange(n)[None, :]
    scores = 3 * np.sin((query + 1.0) * (layer + 1) * 0.7 + key * (head + 1.0) * 1.3) + 2 * (key == 0)
    weights = np.where(key <= query, np.exp(scores), 0)
    return weights / weights.sum(1, keepdims=True)


def fill(path, words=WORDS):
    """Gives the file patterns, and its first prompt other tokens."""
    with h5py.File(path, "r+") as file:
        stored, positions = file["activations/pattern"], file["tokens/position"]
        numbers = list(stored.attrs["layers"])
        for layer, prompt, head in itertools.product(numbers, range(stored.shape[1]), range(stored.shape[2])):
            n = int(file["prompts/length"][prompt])
            rows = [position for position in positions[prompt] if position >= 0]
            stored[layer, prompt, head, :len(rows), :n] = pattern(layer + prompt, head, n)[rows]
        text = file["tokens/text"][()].astype("S64")
        text[0, :len(words)] = [word.encode() for word in words]
        del file["tokens/text"]
        file["tokens/text"] = text


@pytest.fixture(scope="module")
def filled(folder, tmp_path_factory):
    """The files of the sessions, with patterns that differ from head to head."""
    made = tmp_path_factory.mktemp("attn")
    for name in "unequal", "f16", "rows", "one_layer":
        shutil.copy(folder / f"{name}.h5", made)
        fill(made / f"{name}.h5")
    shutil.copy(folder / "unequal.h5", made / "hostile.h5")
    fill(made / "hostile.h5", HOSTILE)
    return made


def stored(path, layer, head, prompt=0):
    with h5py.File(path) as file:
        n = int(file["prompts/length"][prompt])
        return file["activations/pattern"][layer, prompt, head, :n, :n].astype(np.float32)


def maps(where, *args):
    return ask(where, "attn", *args)["maps"]


def weights(found):
    return np.array([query["weights"] for query in found["queries"]], np.float32)


# ---- what is chosen ----

def test_slices_choose_layers_heads_and_prompts(filled):
    found = maps(filled, "unequal.h5", "--layer", "0:2", "--head", "1+-1", "--prompt", "::2")
    assert [(m["prompt"], m["layer"], m["head"]) for m in found] == list(itertools.product((0, 2), (0, 1), (1, 3)))
    for m in found:
        np.testing.assert_array_equal(weights(m), stored(filled / "unequal.h5", m["layer"], m["head"], m["prompt"]))


def test_without_options_every_stored_head_is_meant(filled):
    assert [(m["layer"], m["head"]) for m in maps(filled, "unequal.h5")] == list(itertools.product(range(3), range(4)))
    assert [(m["layer"], m["head"]) for m in maps(filled, "one_layer.h5")] == [(1, head) for head in range(4)]


@pytest.mark.parametrize("text, found", [("1", [1]), ("-1", [4]), ("1:3", [1, 2]), (" cat", [1, 4]), ("cat", [1, 4]),
                                         ("The", [0]), (".\n", [3]), ("|The|", [0]), ("| cat|", [1, 4])])
def test_tokens_are_named_by_position_or_text(filled, text, found):
    by_query, = maps(filled, "unequal.h5", "-l", "1", "-H", "2", "--query", text)
    by_key, = maps(filled, "unequal.h5", "-l", "1", "-H", "2", "--key", text)
    whole = stored(filled / "unequal.h5", 1, 2)
    assert [query["position"] for query in by_query["queries"]] == found == by_key["key_positions"]
    np.testing.assert_array_equal(weights(by_query), whole[found])
    np.testing.assert_array_equal(weights(by_key), whole[:, found])


def test_bars_make_text_of_what_looks_like_a_position(filled, tmp_path):
    shutil.copy(filled / "unequal.h5", tmp_path)
    fill(tmp_path / "unequal.h5", ["a", "3", "b", "c", "a b"])
    for text, position in ("3", 3), ("|3|", 1):
        found, = maps(tmp_path, "unequal.h5", "-l", "0", "-H", "0", "--query", text)
        assert [query["position"] for query in found["queries"]] == [position]


def test_the_exact_text_comes_before_the_one_with_a_space(filled, tmp_path):
    shutil.copy(filled / "unequal.h5", tmp_path)
    fill(tmp_path / "unequal.h5", ["a", "cat", " cat", "c", "d"])
    for text, position in ("cat", 1), (" cat", 2):
        found, = maps(tmp_path, "unequal.h5", "-l", "0", "-H", "0", "--query", text)
        assert [query["position"] for query in found["queries"]] == [position]


def test_prompts_without_the_token_are_left_out(filled):
    assert [m["prompt"] for m in maps(filled, "unequal.h5", "-l", "0", "-H", "0", "--prompt", ":", "-q", "sat")] == [0]


# ---- what is computed ----

def test_sum_and_mean_are_over_all_heads_chosen(filled):
    heads = [stored(filled / "unequal.h5", layer, head).astype(float) for layer in (0, 2) for head in (1, 2, 3)]
    for option, expected in ("--sum", np.sum(heads, 0)), ("--mean", np.mean(heads, 0)):
        found, = maps(filled, "unequal.h5", "-l", "0+2", "-H", "1:", option)
        assert (found["joined"], found["layers"], found["heads"]) == (option[2:], [0, 2], [1, 2, 3])
        np.testing.assert_allclose(weights(found), expected, atol=1e-6)


def test_drop_first_divides_each_row_by_what_remains(filled):
    whole = stored(filled / "unequal.h5", 2, 1).astype(float)
    rest = whole[:, 1:]
    expected = np.divide(rest, rest.sum(1, keepdims=True), where=rest.sum(1, keepdims=True) > 0, out=np.zeros_like(rest))
    found, = maps(filled, "unequal.h5", "-l", "2", "-H", "1", "--drop-first")
    assert found["key_positions"] == [1, 2, 3, 4] and found["dropped_first"] is True
    np.testing.assert_allclose(weights(found), expected, atol=1e-6)
    assert weights(found)[0].tolist() == [0] * 4, "the first query looked at nothing else"
    np.testing.assert_allclose(weights(found)[1:].sum(1), 1, atol=1e-6)
    picked, = maps(filled, "unequal.h5", "-l", "2", "-H", "1", "--drop-first", "--key", "2")
    np.testing.assert_allclose(weights(picked), expected[:, 1:2], atol=1e-6, err_msg="keys are picked afterwards")


def every_pair(path):
    """All that is stored, in the order of the file: (weight, layer, head, prompt, query, key)"""
    with h5py.File(path) as file:
        values, positions, lengths = file["activations/pattern"][()], file["tokens/position"][()], file["prompts/length"]
        layers = file["activations/pattern"].attrs["layers"]
        for layer, prompt, head in itertools.product(layers, range(values.shape[1]), range(values.shape[2])):
            for row, query in enumerate(positions[prompt]):
                for key in range(lengths[prompt] if query >= 0 else 0):
                    yield float(values[layer, prompt, head, row, key]), layer, head, prompt, int(query), key


@pytest.mark.parametrize("name", ["unequal", "f16", "rows", "one_layer"])
@pytest.mark.parametrize("k", [1, 7, 200])
@pytest.mark.parametrize("args, keep", [
    ([], lambda layer, head, prompt, query, key: True),
    (["--drop-first"], lambda layer, head, prompt, query, key: key > 0),
    (["--drop-first", "--drop-self"], lambda layer, head, prompt, query, key: 0 < key != query),
    (["-l", "1", "-H", "0+2:", "--prompt", "1"], lambda layer, head, prompt, query, key: layer == 1 and head != 1 and prompt == 1),
    (["-q", "2:", "-k", "1"], lambda layer, head, prompt, query, key: query >= 2 and key == 1)])
def test_top_is_what_sorting_all_of_the_file_gives(filled, name, k, args, keep):
    pairs = [pair for pair in every_pair(filled / f"{name}.h5") if pair[0] > 0 and keep(*pair[1:])]
    order = np.argsort([-pair[0] for pair in pairs], kind="stable")[:k]
    found = ask(filled, "attn", f"{name}.h5", "--top", str(k), *args)["pairs"]
    assert len(found) == min(k, len(pairs)) > 0
    for pair, expected in zip(found, (pairs[i] for i in order)):
        assert tuple(pair[word] for word in ("layer", "head", "prompt", "query", "key")) == expected[1:]
        assert np.float32(pair["weight"]) == np.float32(expected[0])


def test_top_as_csv_has_what_json_has(filled):
    text = weir(filled, "attn", "unequal.h5", "--top", "9", "--csv").stdout.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    for row, pair in zip(rows, ask(filled, "attn", "unequal.h5", "--top", "9")["pairs"], strict=True):
        assert {word: str(value) for word, value in pair.items()} == row


# ---- the terminal ----

@pytest.mark.parametrize("env, has, lacks", [
    ({"TERM": "xterm", "COLORTERM": "truecolor"}, ["\033[38;2;", "\033[48;2;", "▀"], ["\033[38;5;"]),
    ({"TERM": "xterm-256color"}, ["\033[38;5;", "\033[48;5;", "▀"], ["\033[38;2;"]),
    ({"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1"}, ["@"], ["\033", "▀"]),
    ({"TERM": "dumb"}, ["@"], ["\033", "▀"])])
def test_small_maps_use_the_colours_that_there_are(filled, env, has, lacks):
    text = on_terminal(filled, "attn", "unequal.h5", COLUMNS="60", **env)
    assert all(word in text for word in has) and not any(word in text for word in lacks)
    for line in text.splitlines():
        assert "\033" not in line or line.endswith("\033[0m") or line.endswith("scale"), "colours end with the line"


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_small_maps_fit_the_terminal(filled, width):
    for env in {"TERM": "dumb"}, {"TERM": "xterm-256color"}:
        text = on_terminal(filled, "attn", "unequal.h5", "--prompt", "1", COLUMNS=str(width), **env)
        lines = [re.sub("\033\\[[0-9;]*m", "", line) for line in text.splitlines()]
        maps_only = [line for line in lines if line.startswith(("L", "     "))]
        assert len(maps_only) > 12 and max(map(len, maps_only)) <= max(width, 40)


# ---- pictures ----

PICTURES = {"one": ["-l", "1", "-H", "2"], "all": [],
            "log": ["-l", "0:2", "-H", "1+3", "--scale", "log", "--per-head", "--drop-first"],
            "mean": ["--mean", "--prompt", "1"]}


def draw(where, to, *args, name="unequal.h5"):
    done = weir(where, "attn", name, *args, "--png", to / "picture.png", "--svg", to / "picture.svg")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"" and len(done.stderr.splitlines()) == 2
    return to / "picture.png", to / "picture.svg"


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_as_kept(filled, tmp_path, name):
    png, svg = draw(filled, tmp_path, *PICTURES[name])
    if os.environ.get("WEIR_UPDATE"):
        shutil.copy(png, DATA / f"attn_{name}.png")
        shutil.copy(svg, DATA / f"attn_{name}.svg")
    got, expected = pixels(png), pixels(DATA / f"attn_{name}.png")
    assert got.shape == expected.shape
    assert (np.abs(got - expected).max(2) > 40).mean() < 0.001, "more than the edges of letters differ"
    if name != "mean":  # its map is an embedded PNG, whose compression may differ
        assert svg.read_text() == (DATA / f"attn_{name}.svg").read_text()


@pytest.mark.parametrize("name", PICTURES)
def test_png_and_svg_show_the_same(filled, tmp_path, name):
    png, svg = draw(filled, tmp_path, *PICTURES[name])
    subprocess.run(["rsvg-convert", "-z", "2", svg, "-o", tmp_path / "svg.png"], check=True)
    left, right = pixels(png), pixels(tmp_path / "svg.png")
    assert left.shape == right.shape
    assert (np.abs(left - right).max(2) > 60).mean() < 0.02, "more than the edges of letters and cells differ"


def test_cells_have_the_colours_of_their_weights(filled, tmp_path):
    png, _ = draw(filled, tmp_path, "-l", "1", "-H", "2", "--scale", "linear")
    svg = ElementTree.parse(tmp_path / "picture.svg").getroot()
    whole, picture = stored(filled / "unequal.h5", 1, 2), pixels(png)
    stops = np.array([[10, 8, 20], [110, 30, 120], [240, 110, 50], [255, 245, 180]], float)
    seen = 0
    for cell in svg.iter(f"{SVG}rect"):
        tip = cell.find(f"{SVG}title")
        if tip is None:
            continue
        query, key, weight = re.fullmatch(r"query (\d+) .*, key (\d+) .*: (\S+)", tip.text).groups()
        assert float(weight) == pytest.approx(whole[int(query), int(key)], rel=1e-3)
        x, y, side = (float(cell.get(name)) for name in ("x", "y", "width"))
        colour = [np.interp(3 * whole[int(query), int(key)], range(4), stops[:, channel]) for channel in range(3)]
        assert np.abs(picture[int(2 * y + side), int(2 * x + side)] - colour).max() <= 1.5
        seen += 1
    assert seen == 15


def test_hostile_tokens_are_text_in_a_picture(filled, tmp_path):
    _, svg = draw(filled, tmp_path, "-l", "0", "-H", "0", name="hostile.h5")
    text = svg.read_text()
    root = ElementTree.fromstring(text)
    assert {node.tag for node in root.iter()} == {SVG + tag for tag in ("svg", "style", "rect", "g", "title", "text")}
    labels = [node.text for node in root.iter(f"{SVG}text") if node.get("class") == "m"]
    assert labels[:3] == ['"><script>', "</svg>&amp;'", "�[31m�"] and labels[3] == "�evil�"
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufffe]", text)
    assert "<script" not in text


def test_labels_show_spaces_and_line_ends_and_are_cut(filled, tmp_path):
    shutil.copy(filled / "unequal.h5", tmp_path)
    fill(tmp_path / "unequal.h5", [" a b", "\n\n", "\t", "x" * 40, "日本語" * 4])
    _, svg = draw(tmp_path, tmp_path, "-l", "0", "-H", "0")
    labels = [node.text for node in ElementTree.parse(svg).iter(f"{SVG}text") if node.get("class") == "m"]
    assert labels[:5] == ["␣a␣b", "↵↵", "⇥", "x" * 13 + "…", "日本語日本語…"]


def test_large_maps_keep_an_svg_small_and_its_labels_apart(filled, tmp_path):
    _, svg = draw(filled, tmp_path, "-l", "0", "-H", "0", "--prompt", "1")
    root = ElementTree.parse(svg).getroot()
    assert svg.stat().st_size < 100_000 and len(list(root.iter(f"{SVG}image"))) == 1
    rows = [float(node.get("y")) for node in root.iter(f"{SVG}text") if node.get("class") == "m" and not node.get("transform")]
    assert len(rows) > 20 and min(b - a for a, b in itertools.pairwise(rows)) >= 10


def test_a_picture_replaces_a_file_only_when_forced(filled, tmp_path):
    kept = tmp_path / "kept.png"
    kept.write_bytes(b"mine")
    args = ["attn", filled / "unequal.h5", "-l", "0", "-H", "0", "--png", kept]
    assert weir(tmp_path, *args).returncode == 5
    assert kept.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [kept]
    assert weir(tmp_path, *args, "--force").returncode == 0
    assert kept.read_bytes().startswith(b"\x89PNG") and list(tmp_path.iterdir()) == [kept]


def test_html_is_the_page_of_view_for_the_same_choice(filled, tmp_path):
    choice = ["-l", "0:2", "-H", "1+3"]
    assert weir(filled, "attn", "unequal.h5", *choice, "--html", tmp_path / "attn.html").returncode == 0
    assert weir(filled, "view", "unequal.h5", *choice, "--prompt", "0", "-o", tmp_path / "view.html").returncode == 0
    page = (tmp_path / "attn.html").read_bytes()
    assert page.startswith(b"<!doctype html>") and page == (tmp_path / "view.html").read_bytes()


@pytest.mark.parametrize("args, code", [(["--query", "nothing"], 2), (["-l", "7"], 2), (["--png", "no/x.png"], 5)])
def test_what_is_refused_writes_and_prints_nothing(filled, tmp_path, args, code):
    done = weir(tmp_path, "attn", filled / "unequal.h5", "--svg", "x.svg", *args)
    assert done.returncode == code and done.stdout == b"" and done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []
