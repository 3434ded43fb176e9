"""Grids of patches on a page of weir view: cells are those of the file, in every slice; what does not exist is told from 0."""
import json
import math

import h5py
import numpy
import pytest
from selenium.webdriver.common.keys import Keys

from pages import HOSTILE, MODELS, name_tokens, weir
from viewer import Plot, colour, digits

METRICS = ["logit(answer) - logit(wrong)", "logprob(answer)"]
# cells of the last two positions are of two pairs; all clean prompts have 7 at position 1
PAIRS = [{"clean": [5, 7, 9, 11, 100, 3, 2], "corrupt": [5, 8, 9, 12, 100, 3, 2], "answer": [1], "wrong": [2]},
         {"clean": [4, 7, 6, 7, 8], "corrupt": [4, 8, 6, 7, 8], "answer": [3], "wrong": [4]},
         {"clean": [9, 7, 7, 6, 5, 4, 3], "corrupt": [1, 7, 7, 6, 5, 4, 3], "answer": [5], "wrong": [6]}]


def patch(out, *args, pairs=PAIRS, model="llama"):
    lines = out.with_suffix(".jsonl")
    lines.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    done = weir("patch", "-m", MODELS / model, "--pairs", lines, *(f"--metric={metric}" for metric in METRICS), *args, "-o", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def grids(files, tmp_path_factory):
    """names of files of grids, as view takes them"""
    folder = tmp_path_factory.mktemp("grids")
    files["two"] = patch(folder / "two.h5", "--at", "resid_pre,z")
    name_tokens(files["two"], lambda position: f" word{position}")
    files["part"] = patch(folder / "part.h5", "--at", "resid_pre:1:@2:", "--direction", "noise")
    files["three"] = patch(folder / "three.h5", "--at", "z,k", "--by", "head-position")
    files["four"] = patch(folder / "four.h5", "--at", "pattern:1", "--by", "cell", pairs=PAIRS[:1])
    files["outside"] = patch(folder / "outside.h5", "--at", "embed@*")
    long = [{"clean": [3 + i for i in range(64)], "corrupt": [4 + i for i in range(64)], "answer": 1, "wrong": 2}]
    files["large"] = patch(folder / "large.h5", "--at", "pattern:0.0@63", "--by", "cell", pairs=long)
    return {name: files[name] for name in ("two", "part", "three", "four", "outside", "large")}


def stored(path, name):
    """the value, its standard error and normalised [metric, ...], and the pairs, of /results/patch"""
    with h5py.File(path) as file:
        return [file[f"results/patch/{name}{kind}"][...] for kind in ("", "_stderr", "_normalised", "_pairs")]


def hovered(plot, row, column):
    return plot.hover(*plot.pixel(row, column))


def assert_tip(tip, path, point, metric, place):
    value, stderr, normalised, pairs = stored(path, point)
    at = (metric, *place)
    if numpy.isnan(value[at]):
        assert tip["value"] == "none: the cell does not exist, or was not patched" and METRICS[metric] not in tip
        return
    assert numpy.float32(tip[METRICS[metric]]) == value[at], (place, tip)
    assert numpy.float32(tip["normalised"]) == normalised[at]
    assert tip["stderr"] == "-" if numpy.isnan(stderr[at]) else numpy.float32(tip["stderr"]) == stderr[at]
    assert tip["over"].split()[0] == str(int(pairs[place]))


# ---- values ----

@pytest.mark.parametrize("metric", [0, 1])
def test_every_cell_says_its_value_its_error_its_pairs_and_where_it_lies_between_the_prompts(view, grids, metric):
    viewer = view("two")
    viewer.choose("patch-metric", METRICS[metric])
    for i, (point, n_columns, axis) in enumerate((("resid_pre", 7, "pos"), ("z", 6, "head"))):
        plot = Plot(viewer, 3, n_columns, f"patch-map-{i}")
        for layer in range(3):
            for column in range(n_columns):
                tip = hovered(plot, layer, column)
                assert (tip["layer"], tip[axis].split()[0]) == (str(layer), str(column))
                assert_tip(tip, grids["two"], point, metric, (layer, column))
    assert hovered(Plot(viewer, 3, 7, "patch-map-0"), 0, 6)["over"] == "2 pairs"


def test_a_grid_outside_the_layers_has_one_row(view, grids):
    viewer = view("outside")
    plot = Plot(viewer, 1, 7, "patch-map-0")
    for column in range(7):
        tip = hovered(plot, 0, column)
        assert "layer" not in tip
        assert_tip(tip, grids["outside"], "embed", 0, (column,))


def test_of_three_axes_two_are_shown_and_the_third_is_chosen(view, grids):
    viewer = view("three")
    strongest = numpy.abs(stored(grids["three"], "z")[2][0]).argmax() % 6
    assert viewer.find("#patch-map-1").find_element("xpath", "..").find_element("css selector", "h3").text == f"z by head-position, head {strongest}"
    plot, panel = Plot(viewer, 3, 7, "patch-map-1"), viewer.all("#patch-panels .panel")[1]
    head, down, across = panel.find_elements("css selector", "select")
    for chosen in 0, 3, 5:
        head.send_keys(str(chosen))
        viewer.click(viewer.find("#model"))
        for layer, position in (0, 0), (1, 5), (2, 6), (0, 2):
            assert_tip(hovered(plot, layer, position), grids["three"], "z", 0, (layer, position, chosen))
    down.send_keys("head")
    viewer.click(viewer.find("#model"))
    assert [select.get_attribute("aria-label") for select in panel.find_elements("css selector", "select")] == [
        "layer of z by head-position", "down in z by head-position", "across in z by head-position"]
    panel.find_elements("css selector", "select")[0].send_keys("L1")
    viewer.click(viewer.find("#model"))
    plot = Plot(viewer, 6, 7, "patch-map-1")
    for row, position in (0, 0), (4, 6), (5, 3):
        assert_tip(hovered(plot, row, position), grids["three"], "z", 0, (1, position, row))
    panel.find_elements("css selector", "select")[2].send_keys("head")
    viewer.click(viewer.find("#model"))
    plot = Plot(viewer, 7, 6, "patch-map-1")
    assert_tip(hovered(plot, 6, 2), grids["three"], "z", 0, (1, 6, 2))


def test_of_a_pattern_by_cell_queries_are_down_and_keys_across_and_later_keys_do_not_exist(view, grids):
    viewer = view("four")
    layer, head = viewer.all("#patch-panels select")[:2]
    plot = Plot(viewer, 7, 7, "patch-map-0")
    for of_head in 0, 4:
        layer.send_keys("L1")
        head.send_keys(str(of_head))
        viewer.click(viewer.find("#model"))
        for query, key in (0, 0), (6, 0), (6, 6), (3, 2), (2, 3), (0, 6):
            assert_tip(hovered(plot, query, key), grids["four"], "pattern", 0, (1, of_head, query, key))
    layer.send_keys("L0")
    viewer.click(viewer.find("#model"))
    assert_tip(hovered(plot, 3, 1), grids["four"], "pattern", 0, (0, 4, 3, 1))


def test_the_page_says_the_direction_and_what_is_without_patches(view, grids):
    for name, words in ("two", "Denoising: in each cell the corrupt prompt runs with the clean one"), ("part", "Noising: in each cell the clean"):
        viewer = view(name)
        with h5py.File(grids[name]) as file:
            attrs = dict(file["results/patch/resid_pre"].attrs)
        for i, metric in enumerate(METRICS):
            viewer.choose("patch-metric", metric)
            said = viewer.find("#patch-sentence").text.replace("\u2212", "-")
            clean, corrupt = (digits(attrs[f"baseline_{side}"][i], 4) for side in ("clean", "corrupt"))
            assert said.startswith(f"3 pairs, means. {metric} is {clean:g} in the clean prompts and {corrupt:g} in the corrupt ones. ")
            assert words in said


def test_a_path_is_named(view, grids, files, tmp_path):
    files["path"] = patch(tmp_path / "path.h5", "--at", "z:0", "--to", "k:1")
    assert "It reaches the metric through k:1 only: path patching, frozen." in view("path").find("#patch-sentence").text
    assert "path patching" not in view("two").find("#patch-sentence").text


def test_cells_that_change_the_metric_most_are_listed_and_lead_to_their_slice(view, grids):
    viewer = view("three")
    value, _, _, _ = stored(grids["three"], "z")
    keys, _, _, _ = stored(grids["three"], "k")
    with h5py.File(grids["three"]) as file:
        before = file["results/patch/z"].attrs["baseline_corrupt"][0]
    moved = {("z", *at): abs(value[(0, *at)] - before) for at in numpy.ndindex(value.shape[1:])}
    moved |= {("k", *at): abs(keys[(0, *at)] - before) for at in numpy.ndindex(keys.shape[1:])}
    first, second = sorted(moved, key=moved.get)[:-3:-1]
    names = [button.text for button in viewer.all("#patch-strongest button")]
    unit = {"z": "head", "k": "kv_head"}
    assert names[:2] == [f"{point}: L{layer} pos {position} {unit[point]} {head}" for point, layer, position, head in (first, second)]
    viewer.click(viewer.all("#patch-strongest button")[1])
    title = viewer.all("#patch-panels h3")[0 if second[0] == "k" else 1].text
    assert title == f"{second[0]} by head-position, {unit[second[0]]} {second[3]}"


# ---- colours ----

def expected_colour(path, point, kind, at, theme):
    values = stored(path, point)
    shown, value = values[{"value": 0, "stderr": 1, "normalised": 2}[kind]][0], values[{"value": 0, "stderr": 1, "normalised": 2}[kind]][(0, *at)]
    with h5py.File(path) as file:
        corrupt = file[f"results/patch/{point}"].attrs["baseline_corrupt"][0]
    if kind == "stderr":
        return colour(value / numpy.nanmax(shown), theme)
    middle = corrupt if kind == "value" else 0
    most = max(1 if kind == "normalised" else 0, numpy.nanmax(abs(shown - middle)))
    return colour(0.5 + (value - middle) / most / 2, f"{theme} signed")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["normalised", "value", "stderr"])
def test_cells_have_the_colours_of_what_is_chosen(view, grids, kind, theme):
    viewer = view("two", dark=theme == "dark")
    viewer.click(viewer.all("#patch-grids input")[1])                       # one grid, one scale
    assert not viewer.find("#patch-map-1").is_displayed()
    viewer.choose("patch-show", kind)
    plot = Plot(viewer, 3, 7, "patch-map-0")
    for layer in range(3):
        for position in range(7):
            got = plot.colours(*plot.pixel(layer, position))[0, 0]
            want = expected_colour(grids["two"], "resid_pre", kind, (layer, position), theme)
            assert max(abs(int(a) - b) for a, b in zip(got, want)) <= 3, (layer, position, got, want)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cells_that_do_not_exist_are_hatched_and_say_so(view, grids, theme):
    viewer = view("part", dark=theme == "dark")
    plot = Plot(viewer, 3, 7, "patch-map-0")
    left, top, width, height = map(int, plot.box())
    ground = viewer.find("#patch-map-0 .ground").rect
    assert abs(ground["x"] - left) <= 1 and abs(ground["width"] - width) <= 1 and abs(ground["height"] - height) <= 1
    alpha = viewer.driver.execute_script("""
        const canvas = document.querySelector('#patch-map-0 canvas'), frame = document.querySelector('#patch-map-0 .frame');
        const context = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        return arguments[0].map(([x, y]) => context.getImageData(frame.offsetLeft + 3 + x, frame.offsetTop + 3 + y, 1, 1).data[3]);""",
        [plot.pixel(0, 3), plot.pixel(1, 1), plot.pixel(1, 2), plot.pixel(2, 6)])
    assert alpha == [0, 0, 255, 255]
    for place in (0, 3), (1, 1), (1, 2), (2, 6):
        assert_tip(hovered(plot, *place), grids["part"], "resid_pre", 0, place)


# ---- tokens ----

def test_positions_have_the_token_that_all_clean_prompts_have(view, grids):
    viewer = view("four")
    plot = Plot(viewer, 7, 7, "patch-map-0")
    tip = hovered(plot, 3, 1)
    with h5py.File(grids["four"]) as file:
        clean, corrupt = ([token.decode() for token in file["tokens/text"][side]] for side in (0, 1))
    assert clean[1] != corrupt[1] and clean[3] != corrupt[3]
    assert (tip["query"], tip["key"]) == (f"3 |{clean[3]}| corrupt |{corrupt[3]}|", f"1 |{clean[1]}| corrupt |{corrupt[1]}|")
    viewer = view("two")
    plot = Plot(viewer, 3, 7, "patch-map-0")
    assert hovered(plot, 0, 1)["pos"] == "1 | word1|" and hovered(plot, 0, 3)["pos"] == "3"     # as the ids are, not the texts


def test_a_metric_that_looks_like_html_is_text(view, grids, files, tmp_path):
    files["hostile"] = tmp_path / "hostile.h5"
    files["hostile"].write_bytes(grids["two"].read_bytes())
    name_tokens(files["hostile"], lambda position: HOSTILE[position % len(HOSTILE)])
    with h5py.File(files["hostile"], "r+") as file:
        for name in file["results/patch"]:
            file[f"results/patch/{name}"].attrs["metrics"] = json.dumps(["</script><img src=x onerror=alert(1)>", "b"])
            file[f"results/patch/{name}"].attrs["by"] = "<img src=x>"
    viewer = view("hostile")
    assert viewer.find("#patch-shown").text == "</script><img src=x onerror=alert(1)>" and viewer.all("img") == []
    hovered(Plot(viewer, 3, 7, "patch-map-0"), 0, 1)
    assert viewer.tip()["grid"] == "resid_pre by <img src=x>"


# ---- choosing, the keyboard, room ----

def test_a_file_of_results_alone_opens_at_them_and_a_file_without_has_none(view, grids):
    viewer = view("two")
    assert viewer.find("#patches").is_displayed()
    assert [viewer.find(f"#tab-{name}").is_enabled() for name in ("attention", "neurons", "residual", "patches")] == [False] * 3 + [True]
    assert not viewer.find("#find").is_displayed() and not viewer.find("#prompt").is_displayed()
    viewer = view("f32")
    assert not viewer.find("#tab-patches").is_enabled() and viewer.find("#find").is_displayed()


def test_a_file_may_have_both(view, grids, files, tmp_path):
    files["both"] = tmp_path / "both.h5"
    pairs = tmp_path / "sides.jsonl"
    pairs.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    done = weir("dump", "-m", MODELS / "llama", "-f", pairs, "--side", "clean", "--side", "corrupt", "--hooks", "pattern,z", "-o", files["both"])
    assert done.returncode == 0, done.stderr
    with h5py.File(grids["two"]) as source, h5py.File(files["both"], "r+") as file:
        file.create_dataset("metric", data=numpy.arange(2, dtype="i4")).make_scale("metric")
        group = file.create_group("results/patch")
        for name, old in source["results/patch"].items():
            new = group.create_dataset(name, data=old[...])
            new.attrs.update({key: value for key, value in old.attrs.items() if not key.isupper()})
            for dim, label in zip(new.dims, [d.label for d in old.dims]):
                dim.label = label
                dim.attach_scale(file[label])
    assert weir("validate", files["both"]).returncode == 0
    viewer = view("both")
    assert viewer.find("#attention").is_displayed()
    viewer.press("4")
    assert_tip(hovered(Plot(viewer, 3, 7, "patch-map-0"), 1, 2), files["both"], "resid_pre", 0, (1, 2))
    viewer.press("1")
    assert viewer.find("#attention").is_displayed() and viewer.find("#find").is_displayed()


def test_grids_are_chosen_by_ticking_them(view, grids):
    viewer = view("two")
    shown = lambda: [viewer.find(f"#patch-map-{i}").is_displayed() for i in (0, 1)]
    assert shown() == [True, True]
    viewer.click(viewer.all("#patch-grids input")[0])
    assert shown() == [False, True]
    viewer.click(viewer.all("#patch-grids input")[1])
    assert shown() == [False, False] and viewer.find("#patch-sentence").text == "No grid is chosen."
    viewer.click(viewer.all("#patch-grids input")[0])
    assert shown() == [True, False]


def test_everything_can_be_done_from_the_keyboard(view, grids):
    viewer = view("three")
    viewer.press("v")
    assert viewer.find("#patch-show").get_attribute("value") == "value"
    viewer.press("v", "v")
    assert viewer.find("#patch-show").get_attribute("value") == "normalised"
    before = viewer.all("#patch-panels h3")[0].text
    viewer.press(Keys.ARROW_DOWN)
    assert viewer.all("#patch-panels h3")[0].text != before
    viewer.press(Keys.ARROW_UP)
    assert viewer.all("#patch-panels h3")[0].text == before
    head = int(viewer.all("#patch-panels h3")[1].text.split()[-1])
    viewer.driver.execute_script("arguments[0].focus()", viewer.find("#patch-map-1 canvas"))
    viewer.press(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_RIGHT)
    tip = viewer.tip()
    assert_tip(tip, grids["three"], "z", 0, (1, 1, head))
    assert viewer.find("#spoken").text.startswith(f"z by head-position, layer 1, pos 1 |{tip['pos'].split('|')[1]}|, head {head}: normalised ")
    assert math.isclose(float(viewer.find("#spoken").text.split()[-1]), float(tip["normalised"]))
    viewer.press(Keys.ENTER)
    assert viewer.find("#patch-map-1 .band:not([hidden])")
    viewer.press(Keys.ESCAPE, Keys.ESCAPE)
    viewer.press("+", "0", "?")
    assert viewer.find("#keys").is_displayed()
    viewer.press(Keys.ESCAPE)
    names = viewer.driver.execute_script("""
        return [...document.querySelectorAll('#patches button, #patches select, #patches input, #patches canvas[tabindex]')].map(
            (e) => e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels[0].textContent) || '');""")
    assert len(names) > 25 and all(names)


def test_the_wheel_zooms_a_grid_and_0_shows_it_whole(view, grids):
    viewer = view("large")
    plot = Plot(viewer, 64, 64, "patch-map-0")
    _, _, width, height = plot.box()
    assert hovered(plot, 0, 0)["query"].split()[0] == "0"
    plot.wheel(width / 2, height / 2, -1200)
    corner = plot.hover(2, 2)
    assert int(corner["query"].split()[0]) > 10 and int(corner["key"].split()[0]) > 10
    viewer.press("0")
    assert hovered(plot, 0, 0)["query"].split()[0] == "0"


@pytest.mark.parametrize("size", [(800, 600), (420, 800), (1920, 1080)])
@pytest.mark.parametrize("name", ["two", "three", "four"])
def test_nothing_runs_out_of_the_window(view, grids, size, name):
    viewer = view(name, size=size)
    wide = viewer.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    assert viewer.find("#patch-map-0").size["width"] > 150


def test_grids_count_for_the_size_of_the_page(view, grids, tmp_path):
    page = tmp_path / "page.html"
    done = weir("view", grids["large"], "-o", page, "--max-size", "1")
    assert done.returncode == 4 and "the limit is 1.0 MB" in done.stderr and list(tmp_path.iterdir()) == []
    assert weir("view", grids["large"], "-o", page, "--max-size", "3").returncode == 0
    assert 1e6 < page.stat().st_size <= 3e6
    viewer = view("large")
    assert_tip(hovered(Plot(viewer, 64, 64, "patch-map-0"), 63, 5), grids["large"], "pattern", 0, (0, 0, 63, 5))
