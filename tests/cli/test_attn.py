"""weir attn: what is chosen and computed against numpy on the stored numbers, and its pictures.

Expected pictures stand in data/; WEIR_UPDATE=1 writes them anew: look at them before you commit them.
"""
import csv
import ctypes
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import h5py
import numpy as np
import pytest

from drawn import SVG, drawn_boxes, drawn_mask, pixels, texts_of
from program import WEIR, ask, on_terminal, weir


DATA = Path(__file__).resolve().parent / "data"
WORDS = ["The", " cat", " sat", ".\n", " cat"]
HOSTILE = ['"><script>', "</svg>&amp;'", "\x1b[31m\x01", "\u202eevil\u2066", "\ufffe\u200b"]
INK, FAINT = "#141418", "#5f5f69"  # what is written, of the light scheme


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


@pytest.mark.parametrize("name", ["unequal", "rows", "one_layer"])
@pytest.mark.parametrize("k", [1, 7, 100])
def test_of_equal_weights_top_takes_the_first_of_the_file(filled, tmp_path, name, k):
    shutil.copy(filled / f"{name}.h5", tmp_path)
    with h5py.File(tmp_path / f"{name}.h5", "r+") as file:
        weights = file["activations/pattern"]
        weights[...] = np.where(np.isfinite(weights[()]), np.ceil(weights[()] * 3) / 3, weights[()])     # 1/3, 2/3 and 1
    pairs = sorted((pair for pair in every_pair(tmp_path / f"{name}.h5") if pair[0] > 0), key=lambda pair: -pair[0])
    found = ask(tmp_path, "attn", f"{name}.h5", "--top", str(k))["pairs"]
    assert [tuple(pair[word] for word in ("layer", "head", "prompt", "query", "key")) for pair in found] == \
        [pair[1:] for pair in pairs[:k]]


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
        last = line.rfind("\033")
        assert last < 0 or line[last:].startswith("\033[0m"), "colours end with the line"


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
# the page, and the colours at 0, 1/3, 2/3 and 1
SCHEMES = {"light": ((255, 255, 255), ((248, 235, 209), (246, 180, 100), (205, 66, 96), (62, 16, 92))),
           "dark": ((22, 22, 26), ((42, 32, 74), (118, 34, 124), (240, 110, 50), (255, 245, 180)))}


def draw(where, to, *args, name="unequal.h5"):
    done = weir(where, "attn", name, *args, "--png", to / "picture.png", "--svg", to / "picture.svg")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"" and len(done.stderr.splitlines()) == 2
    return to / "picture.png", to / "picture.svg"


def labels_of(svg):
    """the tokens: those of queries, then those of keys"""
    return [node.text for node in texts_of(svg) if node.get("fill") == INK and node.get("font-size") == "10"
            and (node.get("class") == "m" or node.get("direction") == "rtl")]


def numbers_on_axes(svg):
    """(x, y, position, whether it is slanted) of every position written along a side"""
    return [(float(node.get("x")), float(node.get("y")), int(node.text), bool(node.get("transform")))
            for node in texts_of(svg) if node.get("class") == "m" and node.get("fill") == FAINT]


def ticks_of(svg):
    """{number: the height at which it is} of the colour bar"""
    return {float(node.text): float(node.get("y")) for node in texts_of(svg)
            if node.get("class") is None and re.fullmatch(r"[0-9.e+-]+", node.text)}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_as_kept(filled, tmp_path, name):
    png, svg = draw(filled, tmp_path, *PICTURES[name])
    if os.environ.get("WEIR_UPDATE"):
        shutil.copy(png, DATA / f"attn_{name}.png")
        shutil.copy(svg, DATA / f"attn_{name}.svg")
    got, expected = pixels(png), pixels(DATA / f"attn_{name}.png")
    assert got.shape == expected.shape
    mask = drawn_mask(svg, got.shape[:2])
    assert mask.mean() > 0.1 and np.abs(got - expected).max(2)[mask].max() <= 1
    ink, kept_ink = ((picture[~mask].mean(1) < 128).mean() for picture in (got, expected))
    assert kept_ink > 0 and 0.7 < ink / kept_ink < 1.4, "about as much is written"
    if name != "mean":  # its map is an embedded PNG, whose compression may differ
        assert svg.read_text() == (DATA / f"attn_{name}.svg").read_text()


@pytest.mark.parametrize("name", PICTURES)
def test_png_and_svg_show_the_same(filled, tmp_path, name):
    png, svg = draw(filled, tmp_path, *PICTURES[name])
    subprocess.run(["rsvg-convert", "-z", "2", svg, "-o", tmp_path / "svg.png"], check=True)
    left, right = pixels(png), pixels(tmp_path / "svg.png")
    assert left.shape == right.shape
    assert (np.abs(left - right).max(2) > 60).mean() < 0.02, "more than the edges of letters and cells differ"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_cells_have_the_colours_of_their_weights(filled, tmp_path, scheme):
    png, _ = draw(filled, tmp_path, "-l", "1", "-H", "2", "--scale", "linear", "--scheme", scheme)
    svg = ElementTree.parse(tmp_path / "picture.svg").getroot()
    whole, picture = stored(filled / "unequal.h5", 1, 2), pixels(png)
    stops = np.array(SCHEMES[scheme][1], float)
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


# ---- masked is not zero ----

def with_zeros(folder, made):
    """a file whose first head looks at key 0 alone: all else that it could look at is 0"""
    shutil.copy(folder / "unequal.h5", made / "zeros.h5")
    with h5py.File(made / "zeros.h5", "r+") as file:
        pattern = file["activations/pattern"]
        n = int(file["prompts/length"][0])
        pattern[0, 0, 0, :n, :n] = np.eye(1, n)
    return "zeros.h5"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("scale", ["linear", "sqrt", "log"])
def test_masked_cells_are_the_page_and_zero_is_not(filled, tmp_path, scheme, scale):
    name = with_zeros(filled, tmp_path)
    png, svg = draw(tmp_path, tmp_path, "-l", "0", "-H", "0", "--scheme", scheme, "--scale", scale, name=name)
    page, stops = SCHEMES[scheme]
    cells = [box for box in drawn_boxes(svg) if box[2] == box[3] == 32]
    assert len(cells) == 15, "the lower half of 5 by 5 cells"
    left, top = min(box[0] for box in cells), min(box[1] for box in cells)
    picture = pixels(png)
    for query, key in itertools.product(range(5), repeat=2):
        colour = picture[int(2 * (top + 32 * query + 16)), int(2 * (left + 32 * key + 16))]
        assert tuple(colour) == (page if key > query else stops[-1] if key == 0 else stops[0])
    assert np.abs(np.subtract(page, stops[0])).max() >= 40, "they are told apart by eye"
    assert "masked" in [node.text for node in texts_of(svg)]


def test_nothing_is_called_masked_where_nothing_is(filled, tmp_path):
    _, svg = draw(filled, tmp_path, "-l", "0", "-H", "0", "-q", "-1")
    assert "masked" not in [node.text for node in texts_of(svg)]
    assert "masked" not in weir(filled, "attn", "unequal.h5", "-l", "0", "-H", "0", "-q", "-1").stdout.decode()


@pytest.mark.parametrize("env, zero, masked", [({}, "." * 2, " " * 2), ({"TERM": "dumb"}, "..", "  "),
                                               ({"TERM": "xterm-256color"}, "\033[48;5;236m  ", "\033[0m  "),
                                               ({"TERM": "xterm", "COLORTERM": "truecolor"}, "\033[48;2;42;32;74m  ", "\033[0m  ")])
def test_masked_is_blank_in_the_terminal_and_zero_is_not(filled, tmp_path, env, zero, masked):
    name = with_zeros(filled, tmp_path)
    text = on_terminal(tmp_path, "attn", name, "-l", "0", "-H", "0", COLUMNS="60", **env)
    row = next(line for line in text.splitlines() if line.startswith("1 "))
    assert (zero + masked) in row and "blank: masked" in text
    grid = on_terminal(tmp_path, "attn", name, "-l", "0", COLUMNS="60", **env)
    assert "blank: masked" in grid


def test_large_maps_are_masked_where_all_of_a_cell_is(filled, tmp_path):
    png, svg = draw(filled, tmp_path, "-l", "0", "-H", "0", "--prompt", "1")
    x, y, width, height = next(box for box in drawn_boxes(svg) if min(box[2:]) > 300)
    picture = pixels(png)[int(2 * y):int(2 * (y + height)), int(2 * x):int(2 * (x + width))]
    n = len(stored(filled / "unequal.h5", 0, 0, 1))
    cell = picture.shape[0] // n
    centre = picture[cell // 2::cell, cell // 2::cell][:n, :n]
    blank = (centre == 255).all(2)
    assert (blank == np.triu(np.ones((n, n), bool), 1)).all()


@pytest.mark.parametrize("model", ["mistral", "gemma2", "gemma3_text", "gpt_neo_local", "gpt_oss", "mistral_narrow",
                                   "phi3_sliding", "qwen3_types", "starcoder2_sliding", "gpt2"])
def test_masked_is_where_the_scores_are(folder, tmp_path, model):
    ids = ",".join(str(1 + i % 20) for i in range(20))
    made = ["dump", "-m", folder / model, "--tokens", ids, "--hooks", "pattern,attn_scores", "-o", "x.h5"]
    assert weir(tmp_path, *made).returncode == 0
    with h5py.File(tmp_path / "x.h5") as file:
        scores = file["activations/attn_scores"][()][:, 0, 0]
    for layer, masked in enumerate(np.isneginf(scores)):
        text = weir(tmp_path, "attn", "x.h5", "-l", layer, "-H", "0").stdout.decode()
        rows = re.findall(r"^ *\d+ \|.*\| *\[(.{40})\]$", text, re.M)
        assert [[cell == " " for cell in row[::2]] for row in rows] == masked.tolist()
    both, = (np.isneginf(scores).all(0),)
    text = weir(tmp_path, "attn", "x.h5", "-H", "0", "--mean").stdout.decode()
    rows = re.findall(r"^ *\d+ \|.*\| *\[(.{40})\]$", text, re.M)
    assert [[cell == " " for cell in row[::2]] for row in rows] == both.tolist(), "of joined layers, what none can look at"


def test_a_configuration_that_is_no_configuration_masks_what_is_certain(filled, tmp_path):
    shutil.copy(filled / "unequal.h5", tmp_path)
    for text in "", "{", '{"model_type": "mistral", "sliding_window": 2}', "[1]", '{"model_type": 7}':
        with h5py.File(tmp_path / "unequal.h5", "r+") as file:
            file.attrs["config"] = text
        done = weir(tmp_path, "attn", "unequal.h5", "-l", "0", "-H", "0")
        assert done.returncode == 0 and done.stderr == b"" and b"\n4 | cat|" in done.stdout
        assert re.search(rb"^4 .*\[[^ ]{10}\]$", done.stdout, re.M)


# ---- ticks, positions, columns ----

@pytest.mark.parametrize("args, ticks", [
    (["-H", "0", "--scale", "linear"], [0, 0.25, 0.5, 0.75, 1]),
    (["-H", "0", "--scale", "sqrt"], [0, 0.01, 0.1, 0.25, 0.5, 0.75, 1]),
    (["-H", "0", "--scale", "log"], [0.001, 0.01, 0.1, 1]),
    (["--sum", "--scale", "linear"], [0, 1, 2, 3, 4]),
    (["--sum", "-l", "0:2", "--scale", "linear"], [0, 2, 4, 6, 8]),
    (["--sum", "-l", ":", "--scale", "linear"], [0, 5, 10, 12]),
    (["--sum", "--scale", "log"], [0.01, 0.1, 1, 4]),
    (["-H", "0", "--per-head", "--scale", "linear"], [0, 0.25, 0.5, 0.75, 1])])
def test_ticks_are_round_numbers_at_their_place(filled, tmp_path, args, ticks):
    args = args if "-l" in args else ["-l", "0", *args]
    _, svg = draw(filled, tmp_path, *args, "--prompt", "1")
    found = ticks_of(svg)
    assert sorted(found) == ticks
    scale, most = args[args.index("--scale") + 1], max(ticks)
    part = {"linear": lambda v: v, "sqrt": np.sqrt, "log": lambda v: 1 + np.log10(v) / 3}[scale]
    parts = np.array([part(value / most) for value in ticks])
    heights = np.array([found[value] for value in ticks])
    bar = max(box[3] for box in drawn_boxes(svg) if box[2] == 0.5 and box[3] <= 240)
    np.testing.assert_allclose(heights, heights[-1] + bar * (1 - parts), atol=0.02)
    assert np.diff(-heights).min() >= 12, "they do not touch"


def test_long_axes_have_positions_at_round_steps(filled, tmp_path):
    _, svg = draw(filled, tmp_path, "-l", "0", "-H", "0", "--prompt", "1")
    x, y, width, height = next(box for box in drawn_boxes(svg) if min(box[2:]) > 300)
    numbers = numbers_on_axes(svg)
    rows, keys = ([n for n in numbers if n[3] is slanted] for slanted in (False, True))
    n = len(stored(filled / "unequal.h5", 0, 0, 1))
    assert [at[2] for at in rows] == list(range(0, n, 5)) and [at[2] for at in keys] == list(range(0, n, 10))
    cell = height / n
    for _, at, position, _ in rows:
        assert at == pytest.approx(y + (position + 0.5) * cell + 3.5, abs=0.01)
    texts = labels_of(svg)
    assert len(texts) == len(rows) + len(keys), "each with the token there"


def test_small_panels_have_positions_once_at_the_edges(filled, tmp_path):
    _, svg = draw(filled, tmp_path)
    numbers = numbers_on_axes(svg)
    lefts = {n[0] for n in numbers if numbers.count(n) and n[0] == min(m[0] for m in numbers)}
    assert len(lefts) == 1 and len(numbers) == 3 * 5 + 4 * 5, "3 rows of panels, 4 columns, 5 positions"
    _, both = draw(filled, tmp_path, "--prompt", ":2", "--force")
    assert {n[2] for n in numbers_on_axes(both)} >= {0, 50, 100}, "other prompts have other positions"


def test_what_is_picked_has_its_positions(filled, tmp_path):
    _, svg = draw(filled, tmp_path, "-l", "0", "-H", "0", "--prompt", "1", "-q", "1+7+100", "-k", "3+90+95")
    assert [n[2] for n in numbers_on_axes(svg)] == [1, 7, 100, 3, 90, 95]


@pytest.mark.parametrize("columns, shape", [([], (4, 3)), (["--columns", "2"], (2, 6)), (["--columns", "6"], (6, 2)),
                                            (["--columns", "500"], (12, 1))])
def test_columns_say_how_many_maps_stand_beside_each_other(filled, tmp_path, columns, shape):
    _, svg = draw(filled, tmp_path, *columns)
    titles = [node for node in texts_of(svg) if re.fullmatch(r"L\dH\d", node.text)]
    assert [node.text for node in titles] == [f"L{layer}H{head}" for layer in range(3) for head in range(4)]
    assert (len({node.get("x") for node in titles}), len({node.get("y") for node in titles})) == shape


def test_columns_narrow_small_maps_too(filled):
    text = weir(filled, "attn", "unequal.h5", "--columns", "3").stdout.decode()
    assert [line.split() for line in re.findall(r"^L0 .*$", text, re.M)] == [["L0", "H0", "H1", "H2"], ["L0", "H3"]]


def test_a_single_query_is_one_line_of_a_small_map(folder, tmp_path):
    made = [*"-p a -p b --hooks pattern@-1 -o last.h5".split()]
    assert weir(tmp_path, "dump", *made).returncode == 0
    lines = weir(tmp_path, "attn", "last.h5", "-l", "0").stdout.decode().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("L0"))
    assert len(lines) == at + 3 and lines[at + 1].endswith("|") and "scale" in lines[at + 2]


@pytest.mark.parametrize("args", [["--scheme", "dark"], ["--json", "--columns", "2"], ["--top", "3", "--columns", "2"],
                                  ["--html", "x.html", "--scheme", "dark"], ["--html", "x.html", "--columns", "2"]])
def test_what_says_nothing_there_is_refused(filled, tmp_path, args):
    done = weir(tmp_path, "attn", filled / "unequal.h5", *args)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert list(tmp_path.iterdir()) == []


# ---- text of every script ----

ARABIC, HEBREW = "\u0633\u0644\u0627\u0645", "\u05e9\u05dc\u05d5\u05dd"  # salam, shalom
SCRIPTS = [ARABIC, HEBREW, "\u732b", "\U0001f408", " cat"]


def with_words(filled, made, words):
    shutil.copy(filled / "unequal.h5", made / "words.h5")
    fill(made / "words.h5", words)
    return "words.h5"


def row_labels(filled, made, words, **env):
    """the pictures of the five tokens beside the rows, dark on white"""
    made.mkdir(exist_ok=True)
    name = with_words(filled, made, words)
    done = weir(made, "attn", name, "-l", "0", "-H", "0", "--png", "p.png", "--svg", "p.svg", "--force", env=env)
    assert done.returncode == 0, done.stderr.decode()
    picture = pixels(made / "p.png")
    cells = [box for box in drawn_boxes(made / "p.svg") if box[2] == box[3] == 32]
    left, top = int(2 * min(box[0] for box in cells)), int(2 * min(box[1] for box in cells))
    assert (picture[:top] < 128).any(), "there is a title"
    return [picture[top + 64 * i:top + 64 * (i + 1), 80:left - 6] for i in range(5)], done.stderr.decode()


def ink(label):
    """the label without what is white beside it, 1 is black"""
    dark = 1 - label.mean(2) / 255
    columns = np.nonzero(dark.max(0) > 0.2)[0]
    return dark[:, columns[0]:columns[-1] + 1]


def strokes(dark):
    """how many pieces of ink do not touch each other"""
    todo, n = {tuple(at) for at in np.argwhere(dark > 0.3)}, 0
    while todo:
        n, near = n + 1, [todo.pop()]
        while near:
            y, x = near.pop()
            for at in itertools.product((y - 1, y, y + 1), (x - 1, x, x + 1)):
                if at in todo:
                    todo.remove(at)
                    near.append(at)
    return n


def place_of(letter, word):
    """where along the word, of 0 to 1, the letter's picture fits best"""
    last = word.shape[1] - letter.shape[1]
    wrong = [np.abs(word[:, x:x + letter.shape[1]] - letter).sum() for x in range(last + 1)]
    return np.argmin(wrong) / max(last, 1)


def test_letters_of_arabic_are_joined(filled, tmp_path):
    isolated = "\ufeb1\ufedd\ufe8d\ufee1"  # the same letters as each stands alone
    (word, letters, *_), _ = row_labels(filled, tmp_path, [ARABIC, isolated, "c", "d", "e"])
    assert strokes(ink(letters)) == 4 and strokes(ink(word)) == 2, "seen, lam and alef are one, meem follows an alef"


@pytest.mark.parametrize("word, first, last", [(HEBREW, "\u05e9", "\u05dd"), (ARABIC, "\ufeb3", "\ufee1"),
                                               ("\u05e9\u05d0\u05dc", "\u05e9", "\u05dc")])
def test_right_to_left_is_drawn_so(filled, tmp_path, word, first, last):
    (whole, begins, ends, *_), _ = row_labels(filled, tmp_path, [word, first, last, "d", "e"])
    assert ink(whole).shape[1] > ink(begins).shape[1] + ink(ends).shape[1] - 4, "both fit into the word"
    assert place_of(ink(begins), ink(whole)) > 0.55 > 0.45 > place_of(ink(ends), ink(whole))


def test_every_script_has_letters_and_emoji_have_colours(filled, tmp_path):
    labels, said = row_labels(filled, tmp_path, SCRIPTS)
    assert "no installed font" not in said and len(said.splitlines()) == 2
    assert all((label < 160).any() for label in labels)
    colourful = [np.ptp(label, axis=2).max() for label in labels]
    assert colourful[3] > 80 and max(colourful[:3]) < 60, "an emoji has colours, letters are grey"
    other, _ = row_labels(filled, tmp_path / "2", [SCRIPTS[0], SCRIPTS[1], "\u72d7", *SCRIPTS[3:]])
    assert ink(other[2]).shape != ink(labels[2]).shape or np.abs(ink(other[2]) - ink(labels[2])).max() > 0.5


def fonts_of(tmp_path, *folders):
    """a fontconfig that knows those folders and no more"""
    tmp_path.mkdir(exist_ok=True)
    config = tmp_path / "fonts.conf"
    dirs = "".join(f"<dir>{folder}</dir>" for folder in folders)
    config.write_text(f'<?xml version="1.0"?><fontconfig>{dirs}<cachedir>{tmp_path}/cache</cachedir></fontconfig>')
    return {"FONTCONFIG_FILE": str(config)}


def test_what_no_font_has_is_said(filled, tmp_path):
    env = fonts_of(tmp_path / "fonts", "/usr/share/fonts/truetype/dejavu")
    _, said = row_labels(filled, tmp_path, ["\u732b", "\u732b\u72d7", "c", "d", "e"], **env)
    assert "p.png: 6 characters are in no installed font" in said and "fonts-noto-cjk" in said


def test_without_any_font_one_line_says_so(filled, tmp_path):
    done = weir(filled, "attn", "unequal.h5", "-l", "0", "-H", "0", "--png", tmp_path / "x.png",
                env=fonts_of(tmp_path / "fonts"))
    assert done.returncode == 4 and done.stderr.count(b"\n") == 1 and b"fonts-dejavu-core" in done.stderr
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("soname, package", [("libcairo.so.2", "libcairo2"), ("libpango-1.0.so.0", "libpango-1.0-0"),
                                             ("libpangocairo-1.0.so.0", "libpangocairo-1.0-0"),
                                             ("libgobject-2.0.so.0", "libglib2.0-0")])
def test_a_library_that_is_missing_is_named_with_its_package(filled, tmp_path, soname, package):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / soname).write_bytes(b"")
    done = weir(filled, "attn", "unequal.h5", "-l", "0", "-H", "0", "--png", tmp_path / "x.png",
                env={"LD_LIBRARY_PATH": str(tmp_path / "lib")})
    assert done.returncode == 4 and done.stderr.count(b"\n") == 1
    assert soname in done.stderr.decode() and f"install {package}\n" in done.stderr.decode()
    assert weir(filled, "attn", "unequal.h5", "-l", "0", "-H", "0", env={"LD_LIBRARY_PATH": str(tmp_path / "lib")}).returncode == 0


def test_the_program_says_what_it_loads_when_a_picture_is_wanted():
    needed = subprocess.run(["readelf", "-d", WEIR], capture_output=True, text=True, check=True).stdout
    assert not re.search("cairo|pango|glib", needed), "they would be loaded at every start"
    notes = subprocess.run(["readelf", "-p", ".note.dlopen", WEIR], capture_output=True, text=True, check=True).stdout
    listed = [entry for note in re.findall(r"\[\{.*\}\]", notes) for entry in json.loads(note)]
    drawing = {"libcairo.so.2", "libpango-1.0.so.0", "libpangocairo-1.0.so.0", "libgobject-2.0.so.0"}
    assert {entry["soname"][0] for entry in listed} == {*drawing, "libcurl.so.4"}
    for entry in listed:
        ctypes.CDLL(entry["soname"][0])


@pytest.mark.parametrize("token, label", [("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),  # Persian
                                          ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
                                          ("\u200d", "\ufffd"), ("a\u200d", "a\ufffd"), ("\u0645\u200c\u200c\u062e", None)])
def test_joiners_stay_between_what_they_join(filled, tmp_path, token, label):
    name = with_words(filled, tmp_path, [token, "b", "c", "d", "e"])
    _, svg = draw(tmp_path, tmp_path, "-l", "0", "-H", "0", name=name)
    found = labels_of(svg)[0]
    assert found == label if label else "\ufffd" in found


def test_texts_that_go_leftwards_are_anchored_at_their_right_in_svg(filled, tmp_path):
    name = with_words(filled, tmp_path, SCRIPTS)
    _, svg = draw(tmp_path, tmp_path, "-l", "0", "-H", "0", name=name)
    directions = {node.text: (node.get("direction"), node.get("text-anchor")) for node in texts_of(svg)}
    assert directions[ARABIC] == directions[HEBREW] == ("rtl", None) and directions["\u2423cat"] == (None, "end")
    subprocess.run(["rsvg-convert", "-z", "2", svg, "-o", tmp_path / "svg.png"], check=True)
    left, right = pixels(tmp_path / "picture.png"), pixels(tmp_path / "svg.png")
    beside = min(int(2 * box[0]) for box in drawn_boxes(svg) if box[2] == box[3] == 32) - 6
    differ = np.abs(left[200:300, :beside] - right[200:300, :beside]).max(2) > 100
    assert differ.mean() < 0.02, "they stand at the same place in both"


def test_hostile_tokens_are_text_in_a_picture(filled, tmp_path):
    _, svg = draw(filled, tmp_path, "-l", "0", "-H", "0", name="hostile.h5")
    text = svg.read_text()
    root = ElementTree.fromstring(text)
    assert {node.tag for node in root.iter()} == {SVG + tag for tag in ("svg", "style", "rect", "g", "title", "text")}
    labels = labels_of(svg)
    assert labels[:3] == ['"><script>', "</svg>&amp;'", "�[31m�"] and labels[3] == "�evil�"
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufffe]", text)
    assert "<script" not in text


def test_labels_show_spaces_and_line_ends_and_are_cut(filled, tmp_path):
    shutil.copy(filled / "unequal.h5", tmp_path)
    fill(tmp_path / "unequal.h5", [" a b", "\n\n", "\t", "x" * 40, "日本語" * 4])
    _, svg = draw(tmp_path, tmp_path, "-l", "0", "-H", "0")
    labels = labels_of(svg)
    assert labels[:5] == ["␣a␣b", "↵↵", "⇥", "x" * 13 + "…", "日本語日本語…"]


def test_large_maps_keep_an_svg_small_and_its_labels_apart(filled, tmp_path):
    _, svg = draw(filled, tmp_path, "-l", "0", "-H", "0", "--prompt", "1")
    root = ElementTree.parse(svg).getroot()
    assert svg.stat().st_size < 100_000 and len(list(root.iter(f"{SVG}image"))) == 1
    rows = sorted(y for _, y, _, slanted in numbers_on_axes(svg) if not slanted)
    assert len(rows) > 10 and min(b - a for a, b in itertools.pairwise(rows)) >= 10


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


@pytest.mark.parametrize("n, heads", [(30, ":"), (60, "0"), (60, ":"), (120, ":"), (200, "0"), (200, ":")])
def test_positions_are_named_in_steps_of_one_two_or_five(tmp_path, n, heads):
    assert weir(tmp_path, "dump", "-p", "a " * n, "--hooks", "pattern:0", "-o", "run.h5").returncode == 0
    assert weir(tmp_path, "attn", "run.h5", "-l", "0", "-H", heads, "--svg", "a.svg").returncode == 0
    numbers = [int(node.text) for node in texts_of(tmp_path / "a.svg") if node.text.isdigit()]
    steps = {b - a for a, b in zip(numbers, numbers[1:]) if b > a}
    assert steps and steps <= {first * power for first in (1, 2, 5) for power in (1, 10, 100)}
