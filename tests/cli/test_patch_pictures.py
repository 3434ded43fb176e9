"""weir patch --png and --svg: each cell has the colour of the number that --csv prints, at its layer and column."""
import csv
import io
import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import h5py
import numpy as np
import pytest

from drawn import SVG, drawn_boxes, pixels, texts_of
from program import INPUT, OUTPUT, ROOT, USAGE, ask, weir

PAIRS, PAIR = ROOT / "models/repeats.jsonl", ROOT / "models/repeat.jsonl"
METRIC = ["--metric", "logprob(answer)"]
# the page, and the colours at 0, 1/3, 2/3 and 1 above 0 and below it
SCHEMES = {"light": ((255, 255, 255), ((236, 230, 220), (244, 165, 130), (214, 80, 60), (103, 0, 31)),
                     ((236, 230, 220), (146, 197, 222), (67, 130, 190), (5, 48, 97))),
           "dark": ((22, 22, 26), ((42, 32, 74), (118, 34, 124), (240, 110, 50), (255, 245, 180)),
                    ((42, 32, 74), (25, 60, 140), (40, 150, 200), (190, 245, 240)))}


def patch(folder, *args, pairs=PAIRS):
    return weir(folder, "patch", "-m", ROOT / "models/rill", "--pairs", pairs, *args)


def draw(folder, *args, pairs=PAIRS):
    """-> the files, and the rows of --csv in the same run"""
    names = folder / "p.png", folder / "p.svg"
    done = patch(folder, *args, "--png", names[0], "--svg", names[1], "--csv", "--force", pairs=pairs)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 2, done.stderr.decode()
    return *names, list(csv.DictReader(io.StringIO(done.stdout.decode())))


def cells_of(svg):
    """[((layer, column), value, (x, y, side))] of every cell, in the order of panels"""
    cells = []
    for node in ElementTree.parse(svg).getroot().iter(f"{SVG}rect"):
        tip = node.find(f"{SVG}title")
        if tip is not None:
            layer, column, value = re.fullmatch(r"layer (\d+), \w+ (\d+).*: (\S+)", tip.text).groups()
            cells.append(((int(layer), int(column)), float(value), tuple(float(node.get(a)) for a in ("x", "y", "width"))))
    return cells


def colour_at(picture, box):
    return picture[int(2 * box[1] + box[2]), int(2 * box[0] + box[2])]


def colour_of(part, scheme):
    stops = np.array(SCHEMES[scheme][1 if part > 0 else 2], float)
    return np.array([np.interp(3 * abs(part), range(4), stops[:, channel]) for channel in range(3)])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("at, column", [("resid_pre", "position"), ("z", "unit")])
def test_cells_have_the_colours_of_their_values_layers_downwards(tmp_path, at, column, scheme):
    png, svg, rows = draw(tmp_path, "--at", at, *METRIC, "--scheme", scheme)
    values = {(int(row["layer"]), int(row[column])): float(row["normalised"]) for row in rows}
    most, cells, picture = max(1, *map(abs, values.values())), cells_of(svg), pixels(png)
    assert len(cells) == len(values) == len({place for place, _, _ in cells}) > 15
    left, top, side = cells[0][2]
    for (layer, index), value, box in cells:
        assert value == pytest.approx(values[layer, index], rel=1e-3, abs=1e-9)
        assert box == pytest.approx((left + side * index, top + side * layer, side))
        assert np.abs(colour_at(picture, box) - colour_of(values[layer, index] / most, scheme)).max() <= 1.5
    furthest = max(cells, key=lambda cell: np.abs(colour_at(picture, cell[2]) - colour_of(0, scheme)).sum())
    assert abs(values[furthest[0]]) > 0.98 * max(map(abs, values.values())) > 0.9


def test_normalised_values_that_are_small_have_faint_colours(tmp_path):
    png, svg, rows = draw(tmp_path, "--at", "z:1", *METRIC)
    values = {(int(row["layer"]), int(row["unit"])): float(row["normalised"]) for row in rows}
    assert 0.01 < max(map(abs, values.values())) < 0.5
    for place, _, box in cells_of(svg):
        assert np.abs(colour_at(pixels(png), box) - colour_of(values[place], "light")).max() <= 1.5


def turned(folder):
    """the pairs with their prompts exchanged: what lacks the answer lowers the metric"""
    file = folder / "turned.jsonl"
    pairs = map(json.loads, PAIRS.read_text().splitlines())
    file.write_text("".join(json.dumps(dict(pair, clean=pair["corrupt"], corrupt=pair["clean"])) + "\n" for pair in pairs))
    return file


def test_raw_values_are_around_the_corrupt_prompts_and_what_is_lower_has_the_other_colours(tmp_path):
    pairs, names = turned(tmp_path), [tmp_path / "p.png", tmp_path / "p.svg"]
    args = ["--at", "resid_pre", *METRIC, "--show", "raw", "--png", names[0], "--svg", names[1]]
    assert patch(tmp_path, *args, pairs=pairs).returncode == 0
    cells, picture = cells_of(names[1]), pixels(names[0])
    values = {place: value for place, value, _ in cells}
    corrupt = values[0, 0]  # what comes before the first difference is the same
    least = min(values.values())
    assert least < corrupt - 7
    for place, value, box in cells:
        part = (value - corrupt) / (corrupt - least)
        assert np.abs(colour_at(picture, box) - colour_of(part, "light")).max() <= 2
    ticks = [float(node.text) for node in texts_of(names[1]) if re.fullmatch(r"-?[0-9.]+", node.text) and not node.get("class")]
    assert min(ticks) == pytest.approx(least, rel=0.01) and any(tick == pytest.approx(corrupt, rel=0.01) for tick in ticks)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_cells_without_a_value_are_the_page_and_zero_is_not(tmp_path, scheme):
    png, svg, _ = draw(tmp_path, "--at", "resid_pre:1@0:8", *METRIC, "--scheme", scheme)
    cells, picture, page = cells_of(svg), pixels(png), np.array(SCHEMES[scheme][0])
    assert [place for place, _, _ in cells] == [(1, position) for position in range(8)]
    left, top, side = cells[0][2]
    zero = colour_at(picture, cells[0][2])
    assert np.abs(zero - colour_of(0, scheme)).max() <= 1.5 and np.abs(zero - page).max() > 15
    for layer, position in [(0, 0), (2, 16), (3, 7), (1, 8)]:
        assert (colour_at(picture, (left + side * position, top + side * (layer - 1), side)) == page).all()
    assert "no value" in [node.text for node in texts_of(svg)]
    _, svg, _ = draw(tmp_path, "--at", "resid_pre", *METRIC)
    assert "no value" not in [node.text for node in texts_of(svg)]


def test_a_grid_by_head_position_has_a_panel_for_each_head(tmp_path):
    _, svg, rows = draw(tmp_path, "--at", "z", "--by", "head-position", *METRIC)
    titles = [node.text for node in texts_of(svg) if re.fullmatch(r"head \d", node.text)]
    assert titles == [f"head {head}" for head in range(5)]
    cells = cells_of(svg)
    assert len(cells) == len(rows) == 5 * 4 * 17
    values = {(int(row["unit"]), int(row["layer"]), int(row["position"])): float(row["normalised"]) for row in rows}
    for i, (place, value, _) in enumerate(cells):
        assert value == pytest.approx(values[i // (4 * 17), *place], rel=1e-3, abs=1e-9)


def test_panels_are_told_apart_by_point_and_metric_and_name_their_columns(tmp_path):
    _, svg, _ = draw(tmp_path, "--at", "resid_pre,k", *METRIC, "--metric", "logit(answer)")
    texts = [node.text for node in texts_of(svg)]
    assert {f"{grid}: {metric}" for grid in ("resid_pre by position", "k by head")
            for metric in ("logprob(answer)", "logit(answer)")} < set(texts)
    assert [text for text in texts if text in ("pos", "kv_head", "layer")] == ["pos", "pos", "kv_head", "kv_head", "layer"]


def test_positions_of_one_pair_have_its_tokens_and_those_of_several_have_numbers(tmp_path):
    for pairs, tokens, numbers in [(PAIR, 17, 0), (PAIRS, 0, 17)]:
        _, svg, _ = draw(tmp_path, "--at", "resid_pre", *METRIC, pairs=pairs)
        below = [node.text for node in texts_of(svg) if node.get("class") == "m"][4:]  # after the layers
        assert (sum(not text.isdigit() for text in below), sum(text.isdigit() for text in below)) == (tokens, numbers)


def test_ls_lists_the_grids_of_a_file(tmp_path):
    metrics = ["logprob(answer)", "logit(answer)"]
    assert patch(tmp_path, "--at", "z,embed@*", *METRIC, "--metric", metrics[1], "--direction", "noise", "-o", "g.h5").returncode == 0
    kinds = ["", "_stderr", "_normalised", "_pairs"]
    assert ask(tmp_path, "ls", "g.h5")["grids"] == [
        {"name": f"patch/{point}{kind}", "axes": axes[kind == "_pairs":], "shape": shape[kind == "_pairs":], "metrics": metrics, "direction": "noise"}
        for point, axes, shape in [("embed", ["metric", "pos"], [2, 17]), ("z", ["metric", "layer", "head"], [2, 4, 5])] for kind in kinds]
    printed = weir(tmp_path, "ls", "g.h5").stdout.decode()
    assert re.search(r"patch/z_stderr +\[metric 2, layer 4, head 5\] +noise +.*logprob\(answer\)", printed)
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        del file["results/patch/embed"].attrs["metrics"]
    assert [grid["name"] for grid in ask(tmp_path, "ls", "g.h5")["grids"]][:2] == ["patch/embed_stderr", "patch/embed_normalised"]
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        file["results/patch/z"].attrs["metrics"] = 3
    done = weir(tmp_path, "ls", "g.h5")
    assert done.returncode == INPUT and len(done.stderr.splitlines()) == 1 and b"/results/patch/z" in done.stderr


def test_what_is_in_no_layer_has_no_number_of_one(tmp_path):
    for at, layers in [("embed@*", []), ("embed@*,resid_post", ["0", "1", "2", "3"])]:
        _, svg, _ = draw(tmp_path, "--at", at, *METRIC)
        numbers = [node.text for node in texts_of(svg) if node.get("class") == "m" and node.get("text-anchor") == "end"]
        assert numbers == layers and ("layer" in [node.text for node in texts_of(svg)]) == bool(layers)
        assert "<title>pos 6: " in svg.read_text()


def test_png_and_svg_show_the_same(tmp_path):
    for args in [["resid_pre"], ["z:1,resid_pre", "--scheme", "dark"], ["mlp_post"]]:
        png, svg, _ = draw(tmp_path, "--at", *args, *METRIC, pairs=PAIR)
        subprocess.run(["rsvg-convert", "-z", "2", svg, "-o", tmp_path / "svg.png"], check=True)
        left, right = pixels(png), pixels(tmp_path / "svg.png")
        assert left.shape == right.shape and (np.abs(left - right).max(2) > 60).mean() < 0.02


def test_many_columns_are_narrow_and_their_layers_are_not(tmp_path):
    _, svg, _ = draw(tmp_path, "--at", "mlp_post", *METRIC, pairs=PAIR)
    assert any(width == 320 and height == 48 for _, _, width, height in drawn_boxes(svg)), "640 neurons of 4 layers"


def test_a_picture_is_instead_of_what_is_printed_but_for_csv_and_top(tmp_path):
    args = ["--at", "resid_pre:1", *METRIC]
    drawn = patch(tmp_path, *args, "--png", "p.png", pairs=PAIR)
    assert drawn.returncode == 0 and drawn.stdout == b""
    for more in [["--csv"], ["--top", "3"]]:
        with_picture = patch(tmp_path, *args, *more, "--png", "p.png", "--force", pairs=PAIR)
        assert with_picture.stdout == patch(tmp_path, *args, *more, pairs=PAIR).stdout != b""
    streamed = patch(tmp_path, *args, "--png", "-", pairs=PAIR)
    assert streamed.stdout == (tmp_path / "p.png").read_bytes()


@pytest.mark.parametrize("args, code, words", [
    (["--at", "pattern", "--by", "cell", "--png", "x.png"], USAGE, "pattern by cell: a picture shows grids of up to three axes"),
    (["--metric", "logit(answer)", "--show", "raw", "--png", "x.png"], USAGE, "or one metric"),
    (["--png", "-", "--csv"], USAGE, "only one of --png, --svg, --csv and --top can go to standard output"),
    (["--png", "-", "--svg", "-"], USAGE, "only one of"),
    (["--scheme", "dark"], USAGE, "--scheme needs --png or --svg"),
    (["--force"], USAGE, "--force needs -o, --png or --svg"),
    (["--svg", "there.svg"], OUTPUT, "--svg: there.svg"),
    (["--png", "none/x.png"], OUTPUT, "--png: none/x.png"),
])
def test_what_cannot_be_drawn_is_refused_in_one_line_before_anything_runs(tmp_path, args, code, words):
    (tmp_path / "there.svg").write_text("precious")
    done = patch(tmp_path, *METRIC, *args)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (code, b"", 1), done.stderr.decode()
    assert words in done.stderr.decode()
    assert [file.name for file in tmp_path.iterdir()] == ["there.svg"]
    assert (tmp_path / "there.svg").read_text() == "precious"
