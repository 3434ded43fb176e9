"""Long prompts on a page of weir view: single bright columns and cells are seen where they are, at every zoom, and text, map and
list show the same place."""
import math
import re

import numpy
import pytest
from selenium.webdriver.common.keys import Keys

from pages import BRIGHT, CELL, COLUMN, weir
from viewer import Plot, colour, digits, index, stored

LENGTHS = [300, 1200, 4000, pytest.param(12000, marks=pytest.mark.slow)]


@pytest.fixture
def long_view(view, long_files):
    """long_view(n): (viewer, plot) of that file"""
    def open_page(n, **kinds):
        viewer = view(long_files(n).with_suffix(".html"), **kinds)
        return viewer, Plot(viewer, n, n)
    return open_page


def looks(got, weight, theme="light"):
    return max(abs(int(a) - b) for a, b in zip(got, colour(math.sqrt(weight), theme))) <= 3


def brightness(rgb):
    """how far from the ground of light pages"""
    return 765 - int(numpy.sum(rgb))


@pytest.mark.parametrize("n, dark", [(300, True), (300, False), (1200, False), (4000, True), pytest.param(12000, False, marks=pytest.mark.slow)])
def test_a_bright_column_is_a_line_from_its_first_query_to_the_last(long_view, n, dark):
    viewer, plot = long_view(n, dark=dark)
    column, _ = BRIGHT[n]
    viewer.solo(0, 0)
    _, _, width, height = plot.box()
    x, top = plot.pixel(column, column)
    line = plot.colours(x, 0, 1, int(height))[:, 0]
    assert all(looks(rgb, COLUMN, "dark" if dark else "light") for rgb in line[top + 1:]), line[top:]
    beside = plot.colours(x - 6, int(height) - 20, 3, 10)
    assert not any(looks(rgb, COLUMN, "dark" if dark else "light") for rgb in beside.reshape(-1, 3))


@pytest.mark.parametrize("n", LENGTHS)
def test_the_map_has_every_query_and_key_and_fills_its_room(long_view, n):
    viewer, plot = long_view(n)
    _, _, width, height = plot.box()
    room = viewer.find("#attention-map").size
    assert width > 0.85 * room["width"] and height > 0.8 * room["height"]
    for query in 5, n // 2, n - 1:
        x, y = plot.pixel(query, query)
        tip = plot.hover(x, y)
        assert abs(index(tip["query"]) - query) <= n / height + 1 and abs(index(tip["key"]) - query) <= n / width + 1
    assert index(plot.hover(int(width) - 1, int(height) - 1)["query"]) >= n - n / height - 1


@pytest.mark.parametrize("n", LENGTHS)
def test_a_single_bright_cell_is_seen_at_every_zoom(long_view, n):
    viewer, plot = long_view(n)
    _, cell = BRIGHT[n]
    viewer.solo(0, 0)
    x, y = plot.pixel(*cell)
    for zoom in range(9):
        _, _, width, height = map(int, plot.box())
        shown = plot.colours(0, 0, width, height)                     # all of it, as labels that come in sight may move the cells
        bright = numpy.argwhere(numpy.abs(shown - numpy.array(colour(math.sqrt(CELL), "light"))).max(-1) <= 3)
        assert len(bright), zoom
        near = bright[numpy.abs(bright - (y, x)).sum(1).argmin()]
        y, x = int(near[0]), int(near[1])
        tip = plot.hover(x, y)
        assert (index(tip["query"]), index(tip["key"])) == cell and float(tip["weight"]) == digits(numpy.float16(CELL), 4), (zoom, tip)
        plot.wheel(x, y, -450)

    viewer.press("0")
    assert not viewer.find("#zoom-all").is_enabled()


@pytest.mark.parametrize("n", [300, 1200])
def test_every_pixel_is_the_largest_weight_of_its_cells(long_view, long_files, n):
    viewer, plot = long_view(n)
    viewer.solo(0, 1)
    _, _, width, height = map(int, plot.box())
    weights = stored(long_files(n), "pattern")[0, 0, 1]
    viewer.choose("scale", "fit")
    across, down = ((numpy.arange(n) + 0.5) * size / n for size in (width, height))
    shown = plot.colours(0, 0, width, height)
    for x in 3, width // 3, width // 2:
        for y in height // 2, height - 30, height - 1:
            keys, queries = numpy.flatnonzero(across.astype(int) == x), numpy.flatnonzero(down.astype(int) == y)
            if not len(keys):
                keys = numpy.array([int((x + 0.5) * n / width)])
            if not len(queries):
                queries = numpy.array([int((y + 0.5) * n / height)])
            largest = weights[numpy.ix_(queries, keys)].max() / weights.max()
            expected = colour(largest, "light")
            assert max(abs(int(a) - b) for a, b in zip(shown[y, x], expected)) <= 4, (x, y, shown[y, x], expected)


def test_a_box_zooms_and_shift_moves(long_view):
    viewer, plot = long_view(1200)
    _, (query, key) = BRIGHT[1200]
    viewer.solo(0, 0)
    x, y = plot.pixel(query, key)
    plot.drag((x - 20, y - 20), (x + 20, y + 20))
    shown = list(map(int, re.findall(r"\d+", viewer.find("#in-view").text)))
    assert shown[0] < query < shown[1] < query + 120 and shown[2] < key < shown[3] < key + 90, shown
    _, _, width, height = plot.box()
    shown_cells = plot.colours(0, 0, int(width), int(height)).reshape(-1, 3)
    assert any(looks(rgb, CELL) for rgb in numpy.unique(shown_cells, axis=0))
    plot.drag((width / 2, height / 2), (width / 2 + 100, height / 2 + 50), shift=True)
    moved = list(map(int, re.findall(r"\d+", viewer.find("#in-view").text)))
    assert moved[0] < shown[0] and moved[2] < shown[2]
    viewer.driver.execute_script("document.querySelector('#attention-map canvas').focus()")
    viewer.press_with(Keys.SHIFT, Keys.ARROW_RIGHT)
    assert int(re.findall(r"\d+", viewer.find("#in-view").text)[2]) > moved[2]


def test_keys_zoom_and_arrows_walk_into_sight(long_view):
    viewer, plot = long_view(1200)
    viewer.solo(0, 0)
    viewer.click(viewer.find("#model"))
    viewer.press("+", "+", "+", "+")
    shown = list(map(int, re.findall(r"\d+", viewer.find("#in-view").text)))
    assert shown[1] - shown[0] < 1200 / 4 and shown[3] - shown[2] < 1200 / 4
    viewer.press("-")
    wider = list(map(int, re.findall(r"\d+", viewer.find("#in-view").text)))
    assert wider[1] - wider[0] > shown[1] - shown[0]
    viewer.driver.execute_script("document.querySelector('#attention-map canvas').focus()")
    viewer.press(Keys.ARROW_UP)                      # the first goes to the last query and key 0, and brings them into sight
    shown = list(map(int, re.findall(r"\d+", viewer.find("#in-view").text)))
    assert shown[1] == 1199 and shown[2] == 0
    assert viewer.find("#spoken").text.startswith("query 1199")
    viewer.press("0")
    assert viewer.find("#in-view").text == ""


def in_sight(viewer, position):
    return viewer.driver.execute_script("""
        const box = document.getElementById('attention-tokens').getBoundingClientRect();
        const at = document.querySelectorAll('#attention-tokens .token')[arguments[0]].getBoundingClientRect();
        return at.top >= box.top && at.bottom <= box.bottom;""", position)


def test_text_map_and_list_show_the_same_place(long_view):
    viewer, plot = long_view(4000)
    viewer.solo(0, 0)
    viewer.click(viewer.find("#model"))
    assert in_sight(viewer, 3999) and viewer.find("#strongest-title").text == "Strongest keys of query 3999"
    x, y = plot.pixel(2800, 100)
    tip = plot.hover(x, y)
    query = index(tip["query"])
    assert abs(query - 2800) < 20 and in_sight(viewer, query)
    assert viewer.find("#strongest-title").text == f"Strongest keys of query {query}"
    actions = plot.point(x, y)
    actions.pointer_action.click()
    actions.perform()
    viewer.frames()
    assert f"query {query}" in viewer.find("#sentence").text and "(locked)" in viewer.find("#sentence").text
    best = int(viewer.find("#strongest tr td").text)
    viewer.click(viewer.find("#strongest tr"))
    assert f"query {best}" in viewer.find("#sentence").text and in_sight(viewer, best)
    for _ in range(6):
        plot.wheel(20, 20, -300)
    viewer.away()
    viewer.press(Keys.ARROW_RIGHT)
    shown = list(map(int, re.findall(r"\d+", viewer.find("#in-view").text)))
    assert shown[0] <= best + 1 <= shown[1] and in_sight(viewer, best + 1)


def test_search_jumps_from_hit_to_hit_in_text_and_map(long_view, long_files):
    viewer, plot = long_view(1200)
    tokens = viewer.driver.execute_script("return [...document.querySelectorAll('#attention-tokens .token')].map((token) => token.textContent)")
    wanted = tokens[700]
    hits = [i for i in range(1200) if tokens[i].lower() == wanted.lower()]
    viewer.press("/")
    viewer.press(*wanted)
    assert viewer.find("#found").text.endswith("found")
    n = int(viewer.find("#found").text.split()[0])
    assert n >= len(hits) > 1
    viewer.press(Keys.ENTER)
    assert viewer.find("#found").text == f"1 of {n}"
    first = int(re.search(r"query (\d+)", viewer.find("#sentence").text)[1])
    assert in_sight(viewer, first) and "hit" in viewer.token(first).get_attribute("class")
    viewer.press(Keys.ENTER)
    assert viewer.find("#found").text == f"2 of {n}"
    viewer.press(Keys.ESCAPE, "n")
    assert viewer.find("#found").text == f"3 of {n}"
    viewer.press("N", "N", "N")
    assert viewer.find("#found").text == f"{n} of {n}"
    viewer.press("/")
    viewer.driver.execute_script("document.getElementById('find').select()")
    viewer.press(*"#888", Keys.ENTER)
    assert "query 888" in viewer.find("#sentence").text and in_sight(viewer, 888)
    viewer.driver.execute_script("document.getElementById('find').select()")
    viewer.press(*"no such text", Keys.ENTER)
    assert viewer.find("#found").text == "none"


def test_weights_of_a_head_are_read_when_it_is_looked_at(long_view, long_files):
    viewer, plot = long_view(1200)
    pattern = stored(long_files(1200), "pattern")[0, 0]
    for head in 1, 0:
        viewer.driver.execute_script("""
            window.decoded = [];
            if (!window.watched) {
              window.watched = Blob.prototype.stream;
              Blob.prototype.stream = function () { window.decoded.push(this.size); return window.watched.call(this); };
            }""")
        viewer.solo(0, head)
        first = viewer.driver.execute_script("return window.decoded.length")
        viewer.click(viewer.token(1100))
        viewer.hover(viewer.token(1090))
        assert float(viewer.tip()["weight"]) == digits(pattern[head, 1100, 1090], 4)
        viewer.click(viewer.token(1100))
        assert viewer.driver.execute_script("return window.decoded.length") == first <= 1
    assert "every weight" in viewer.find("#exactness").text


@pytest.mark.slow
def test_beyond_five_thousand_tokens_the_strongest_keys_are_exact_and_the_rest_is_bounded(long_view, long_files):
    viewer, plot = long_view(12000)
    assert "Every weight of 0 of 2 patterns" in viewer.find("#what").text
    import h5py
    with h5py.File(long_files(12000)) as file:
        row = numpy.asarray(file["activations/pattern"][0, 0, 1, 9000, :9001], "f4")
    viewer.solo(0, 1)
    viewer.click(viewer.find("#model"))
    viewer.press("/", *"#9000", Keys.ENTER, Keys.ESCAPE)
    lines = [line.text.split() for line in viewer.all("#strongest tr")]
    assert [float(line[-1]) for line in lines] == [digits(value, 4) for value in sorted(row, reverse=True)[:12]]
    weak = int(numpy.argsort(row)[10])
    viewer.hover(viewer.token(weak))
    assert viewer.tip()["weight"].startswith("at most ") and float(viewer.tip()["weight"][8:]) >= row[weak]


def test_predictions_and_losses_are_those_stored(view, files, tmp_path):
    import h5py
    from pages import dump
    files["next"] = dump(tmp_path / "next.h5", "llama", "--next", "4", lengths=(20,))
    viewer = view("next")
    with h5py.File(files["next"]) as file:
        ids, logprobs, own = (numpy.asarray(file[name]) for name in ("next/id", "next/logprob", "tokens/id"))
        mean = float(file["prompts/loss"][0])
    viewer.click(viewer.token(8))
    lines = viewer.all("#next tr")
    assert [line.find_element("css selector", ".t").get_attribute("title").split(",")[0] for line in lines] == [f"id {one}" for one in ids[0, 8]]
    for line, logprob in zip(lines, logprobs[0, 8]):
        assert math.isclose(float(line.find_element("css selector", ".value").text), math.exp(logprob), rel_tol=6e-3)
    assert f"mean of the prompt {mean:.4g}"[:24] in viewer.find("#next-loss").text
    for position in 1, 5, 19:
        viewer.hover(viewer.token(position))
        listed = list(ids[0, position - 1])
        if own[0, position] in listed:
            assert math.isclose(float(viewer.tip()["loss"].split()[0]), -logprobs[0, position - 1, listed.index(own[0, position])], rel_tol=6e-3)
        else:
            assert viewer.tip()["loss"].startswith("over ")
            assert math.isclose(float(viewer.tip()["loss"].split()[1]), -logprobs[0, position - 1, -1], rel_tol=6e-3)
    viewer.press("l")
    assert "Coloured by loss" in viewer.find("#sentence").text
    shown = viewer.colours()
    assert shown[0] is None and all(shown[1:])


def test_a_tooltip_never_covers_the_cells_beside_the_pointer(long_view):
    viewer, plot = long_view(300)
    _, _, width, height = plot.box()
    left, top, _, _ = plot.box()
    for x, y in (5, 5), (width - 3, height - 3), (5, height - 3), (width / 2, height / 2), (width - 3, 5), (width / 3, height * 0.9):
        plot.hover(x, y)
        box = viewer.driver.execute_script("""
            const { left, right, top, bottom } = document.getElementById('tip').getBoundingClientRect();
            return [left, right, top, bottom, innerWidth, innerHeight];""")
        gap_x = max(box[0] - (left + x), (left + x) - box[1])
        gap_y = max(box[2] - (top + y), (top + y) - box[3])
        assert max(gap_x, gap_y) >= 20, (x, y, box)
        assert box[0] >= 0 and box[2] >= 0 and box[1] <= box[4] and box[3] <= box[5], (x, y, box)


def test_bars_of_the_list_keep_their_room_beside_long_tokens(view, files, tmp_path):
    import shutil
    from pages import name_tokens
    files["wordy"] = shutil.copy(files["f32"], tmp_path / "wordy.h5")
    name_tokens(files["wordy"], lambda position: f"antidisestablishmentarianism{position}")
    viewer = view("wordy")
    viewer.click(viewer.token(11))
    bars = viewer.driver.execute_script("""
        const side = document.querySelector('.side').getBoundingClientRect();
        return [...document.querySelectorAll('#strongest tr')].map((row) => {
          const cell = row.querySelector('.meter').getBoundingClientRect(), bar = row.querySelector('.meter div').getBoundingClientRect();
          return [cell.width, bar.width, side.right - cell.right];
        });""")
    assert len(bars) > 5 and all(width > 40 and inside >= 0 for width, _, inside in bars)
    assert bars[0][1] > 35 and all(bar >= 1 for _, bar, _ in bars)


def test_negative_activations_have_their_sign(view, files):
    viewer, values = view("f32", "--neurons", "resid_post:1.0:40"), stored(files["f32"], "resid_post")[1, 0, :12, :40]
    viewer.tab("neurons")
    shown = [unit.find_elements("css selector", "span")[-1].text.replace("\u2212", "-") for unit in viewer.all(".unit")]
    peaks = values[numpy.abs(values).argmax(0), numpy.arange(40)]
    assert len(shown) == 40 and any(text.startswith("-") for text in shown)
    assert all(math.isclose(float(text), peak, rel_tol=6e-3) for text, peak in zip(shown, peaks))


def test_attn_html_offers_what_attn_has(files, tmp_path):
    done = weir("attn", files["wider"], "--html", tmp_path / "page.html")
    assert done.returncode == 0 and (tmp_path / "page.html").stat().st_size > 1e6
