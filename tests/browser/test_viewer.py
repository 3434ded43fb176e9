"""What a page of weir view shows is what its file holds; it does what its help says; it asks nothing of the network."""
import json
import math
import re

import h5py
import numpy
import pytest
from selenium.webdriver.common.keys import Keys

from pages import HOSTILE, weir
from viewer import Plot, colour, digits, index, stored

GRID = [(x / 9, y / 9) for x in range(2, 9) for y in range(0, 7)]


def assert_close_colour(got, expected, what):
    assert got is not None and max(abs(a - b) for a, b in zip(got, expected)) <= 1, (what, got, expected)


# ---- values ----

@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_cells_of_the_heatmap_show_the_stored_weights(view, files, dtype):
    viewer, pattern, seen = view(dtype), stored(files[dtype], "pattern"), 0
    for prompt, layer, head in (0, 0, 0), (2, 2, 5), (1, 1, 3):
        viewer.choose("prompt", prompt)
        viewer.solo(layer, head)
        for tip in viewer.cells("attention-map", GRID):
            query, key = index(tip["query"]), index(tip["key"])
            if key > query:
                assert tip["weight"] == "0 (masked)"
                continue
            assert float(tip["weight"]) == digits(pattern[layer, prompt, head, query, key], 4), (prompt, layer, head, tip)
            seen += 1
    assert seen > 25


def test_a_locked_query_and_a_hovered_key_show_their_weight(view, files):
    viewer, pattern = view("f32"), stored(files["f32"], "pattern")
    viewer.solo(2, 1)
    viewer.click(viewer.token(9))
    for key in range(10):
        viewer.hover(viewer.token(key))
        tip = viewer.tip()
        assert (index(tip["query"]), index(tip["key"])) == (9, key)
        assert tip["query"] == "9 | word9|"
        assert float(tip["weight"]) == digits(pattern[2, 0, 1, 9, key], 4)
    viewer.hover(viewer.token(11))
    assert viewer.tip()["weight"] == "0 (masked)"


def test_several_heads_are_shown_as_their_mean_or_maximum(view, files):
    viewer, pattern = view("f32"), stored(files["f32"], "pattern")
    chosen = [(0, 1), (1, 2), (2, 5)]
    for layer, head in chosen:
        viewer.click(viewer.head(layer, head))
    weights = numpy.array([pattern[layer, 0, head, 7, :8] for layer, head in chosen], "f8")
    viewer.click(viewer.token(7))
    for how, expected in ("mean", weights.mean(0)), ("maximum", weights.max(0)):
        assert viewer.shown() == f"{how} of 3 heads: L0 H1, L1 H2, L2 H5"
        for key in range(8):
            viewer.hover(viewer.token(key))
            assert math.isclose(float(viewer.tip()["weight"]), expected[key], rel_tol=6e-3), (how, key)
        viewer.press("m")


def test_what_a_sink_takes_is_said(view, files):
    viewer, pattern = view("sinks"), stored(files["sinks"], "pattern")
    viewer.solo(1, 2)
    viewer.click(viewer.token(10))
    viewer.hover(viewer.token(4))
    rest = 1 - pattern[1, 0, 2, 10, :11].astype("f8").sum()
    assert 0.001 < rest < 1
    assert float(viewer.tip()["sink has"]) == digits(numpy.float32(rest), 4)
    assert "the sink" in viewer.find("#strongest").text


def test_the_strongest_keys_are_those_of_the_file(view, files):
    viewer, pattern = view("f32"), stored(files["f32"], "pattern")
    viewer.choose("prompt", 2)
    viewer.solo(0, 4)
    viewer.click(viewer.token(15))
    row = pattern[0, 2, 4, 15, :16]
    lines = [line.text.split() for line in viewer.all("#strongest tr")]
    assert [int(line[0]) for line in lines[:5]] == list(numpy.argsort(-row)[:5])
    assert [float(line[-1]) for line in lines[:5]] == [digits(value, 4) for value in sorted(row)[:-6:-1]]


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_neurons_show_the_stored_activations(view, files, dtype):
    viewer, values = view(dtype, "--neurons", "mlp_post:0.3+17,mlp_post:2.80,resid_post:1.5"), stored(files[dtype], "mlp_post")
    viewer.tab("neurons")
    assert [unit.text.split("\n")[0] for unit in viewer.all(".unit")] == ["L0 · 3", "L0 · 17", "L1 · 5", "L2 · 80"]
    for prompt, i, layer, unit in (0, 0, 0, 3), (0, 1, 0, 17), (0, 3, 2, 80), (1, 1, 0, 17), (2, 0, 0, 3), (2, 3, 2, 80):
        viewer.choose("prompt", prompt)
        viewer.click(viewer.all(".unit")[i])
        for position in (0, 4) if prompt == 1 else (0, 4, 11):
            viewer.hover(viewer.token(position, "unit"))
            assert numpy.float32(viewer.tip()[f"L{layer} · {unit}"]) == values[layer, prompt, position, unit]


def test_without_a_choice_the_most_active_neurons_of_each_layer_are_there(view, files):
    viewer, values = view("f32"), stored(files["f32"], "mlp_post")
    lengths = 12, 5, 20
    viewer.tab("neurons")
    shown = [tuple(map(int, re.findall(r"\d+", unit.text.split("\n")[0]))) for unit in viewer.all(".unit")]
    for layer in range(3):
        peaks = numpy.max([numpy.abs(values[layer, prompt, 1:n]).max(0) for prompt, n in enumerate(lengths)], 0)
        assert {unit for of, unit in shown if of == layer} == set(numpy.argsort(-peaks)[:8])


def test_the_residual_view_shows_the_norms(view, files):
    viewer = view("f32")
    viewer.tab("residual")
    for prompt, point in (0, "resid_pre"), (0, "resid_mid"), (0, "resid_post"), (2, "resid_mid"):
        viewer.choose("prompt", prompt)
        viewer.choose("norm-point", point)
        norms, seen = numpy.linalg.norm(stored(files["f32"], point)[:, prompt].astype("f8"), axis=-1), 0
        for tip in viewer.cells("norm-map", [(x / 9, y / 12) for x in range(1, 9) for y in (0.3, 0.9, 1.4)]):
            position = index(tip["token"])
            (name, value), = [(name, value) for name, value in tip.items() if name.startswith(point)]
            assert math.isclose(float(value), norms[int(name.split()[1]), position], rel_tol=1e-7)
            seen += 1
        assert seen > 10


# ---- colours ----

def test_the_largest_norm_has_the_last_colour_and_the_smallest_the_first(view, files):
    viewer = view("f32")
    viewer.tab("residual")
    viewer.choose("norm-point", "resid_mid")
    norms = numpy.linalg.norm(stored(files["f32"], "resid_mid")[:, 0, :12].astype("f8"), axis=-1)
    plot = Plot(viewer, 3, 12, "norm-map")
    for place, part in (norms.argmax(), 1), (norms.argmin(), 0):
        row, column = numpy.unravel_index(place, norms.shape)
        assert_close_colour(plot.colours(*plot.pixel(row, column))[0, 0].tolist(), colour(part, "light"), (row, column))


@pytest.mark.parametrize("dark", [False, True])
def test_tokens_are_coloured_by_the_weights_in_either_direction(view, files, dark):
    viewer, pattern, theme = view("f32", dark=dark), stored(files["f32"], "pattern")[1, 0, 3], "dark" if dark else "light"
    viewer.solo(1, 3)
    viewer.hover(viewer.token(8))
    for key, got in enumerate(viewer.colours()):
        if key > 8:
            assert got is None
        else:
            assert_close_colour(got, colour(math.sqrt(digits(pattern[8, key], 4)), theme), key)
    viewer.press("d")
    for query, got in enumerate(viewer.colours()):
        if query < 8:
            assert got is None
        else:
            assert_close_colour(got, colour(math.sqrt(digits(pattern[query, 8], 4)), theme), query)


def test_the_scale_and_the_first_token_can_be_chosen(view, files):
    viewer, row = view("f32"), stored(files["f32"], "pattern")[0, 0, 0, 11, :12]
    viewer.solo(0, 0)
    viewer.click(viewer.token(11))
    viewer.choose("scale", "linear")
    assert_close_colour(viewer.colours()[5], colour(row[5], "light"), "linear")
    viewer.press("f")
    assert viewer.colours()[0] is None and "0 | word0|" not in viewer.find("#strongest").text
    viewer.choose("scale", "fit")
    largest = numpy.tril(stored(files["f32"], "pattern")[0, 0, 0, :12, :12])[:, 1:].max()
    assert_close_colour(viewer.colours()[5], colour(row[5] / largest, "light"), "fit")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_activations_are_coloured_from_their_largest_below_0_to_their_largest_above_it(view, files, theme):
    viewer = view("f32", "--neurons", "mlp_post:0.3", dark=theme == "dark")
    viewer.tab("neurons")
    values = stored(files["f32"], "mlp_post")[0, 0, :12, 3]
    assert values.min() < 0 < values.max()
    for got, value in zip(viewer.colours("unit"), values, strict=True):
        assert_close_colour(got, colour(0.5 + value / abs(values).max() / 2, f"{theme} signed"), value)


def test_the_theme_follows_the_system_until_it_is_chosen(view):
    viewer = view("f32")
    ground = lambda: viewer.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    light = ground()
    viewer.media("dark")
    viewer.frames()
    dark = ground()
    assert light != dark
    viewer.click(viewer.find("#theme"))
    assert viewer.find("#theme").text.endswith("light") and ground() == light
    viewer.press("t")
    assert viewer.find("#theme").text.endswith("dark") and ground() == dark


# ---- heads ----

def test_hovering_previews_a_head_clicking_locks_it_double_clicking_solos_it(view):
    viewer = view("f32")
    opening = viewer.shown()
    viewer.hover(viewer.head(1, 4))
    assert viewer.shown() == "layer 1, head 4"
    viewer.away()
    assert viewer.shown() == opening
    viewer.click(viewer.head(1, 4))
    viewer.away()
    assert viewer.shown() == "layer 1, head 4, locked" and viewer.locked() == ["layer 1, head 4"]
    viewer.click(viewer.head(0, 2))
    viewer.away()
    assert viewer.shown() == "mean of 2 heads: L0 H2, L1 H4"
    viewer.click(viewer.head(1, 4))
    assert viewer.locked() == ["layer 0, head 2"]
    viewer.solo(2, 5)
    assert viewer.locked() == ["layer 2, head 5"]
    viewer.click(viewer.find("#clear-heads"))
    assert viewer.locked() == []
    viewer.click(viewer.find("#all-heads"))
    assert len(viewer.locked()) == 18 and viewer.shown() == "mean of all 18 heads"


def test_a_page_opens_on_the_head_with_the_highest_detection_score_and_says_it(view, files):
    scores = json.loads(weir("heads", files["f32"], "--json").stdout)["heads"]
    name, best = max(((name, head) for head in scores for name in ("previous", "duplicate", "induction")
                      if head[name] is not None), key=lambda one: one[1][one[0]])
    viewer = view("f32")
    assert viewer.shown() == f"layer {best['layer']}, head {best['head']}" and viewer.locked() == []
    words = {"previous": "previous token", "duplicate": "duplicate token", "induction": "induction"}[name]
    assert f"Highest score (weir heads): {words} {best[name]:.2f}" in viewer.find("#exactness").text


def test_the_thumbnail_of_a_head_has_its_pattern(view, files):
    viewer, pattern = view("f32"), stored(files["f32"], "pattern")
    left, size, width, *pixels = viewer.driver.execute_script("""
        const [thumb] = arguments, canvas = thumb.parentElement.querySelector('canvas'), { width, height } = canvas;
        return [thumb.offsetLeft - canvas.offsetLeft + thumb.clientLeft, thumb.clientWidth, width,
            ...canvas.getContext('2d').getImageData(0, 0, width, height).data];""", viewer.head(1, 3))
    image = numpy.array(pixels).reshape(-1, width, 4)
    for query in range(12):
        for key in range(12):
            got = image[2 + int((query + 0.5) * size / 12), left + int((key + 0.5) * size / 12), :3]
            assert_close_colour(got, colour(math.sqrt(pattern[1, 0, 3, query, key]), "light"), (query, key))


def test_only_thumbnails_in_sight_are_drawn(view):
    viewer = view("wide")
    drawn = "return [...document.querySelectorAll('.strip')].filter((canvas) => canvas.style.width).length"
    before = viewer.driver.execute_script(drawn)
    assert 1 <= before < 30
    viewer.driver.execute_script("arguments[0].scrollIntoView()", viewer.head(29, 8))
    viewer.frames()
    assert before < viewer.driver.execute_script(drawn) <= 30


# ---- tokens and prompts ----

def test_hovering_a_token_previews_it_clicking_locks_it(view):
    viewer = view("f32")
    viewer.hover(viewer.token(3))
    assert "query 3 | word3|" in viewer.find("#sentence").text
    for position in 6, 0:
        viewer.click(viewer.token(position))
        viewer.hover(viewer.token(2))
        assert f"query {position} | word{position}| (locked)" in viewer.find("#sentence").text
        viewer.click(viewer.token(position))
        viewer.hover(viewer.token(2))
        assert "query 2 | word2|" in viewer.find("#sentence").text


def test_another_prompt_shows_its_own_tokens(view, files):
    viewer = view("f32")
    for prompt, n in (2, 20), (1, 5), (0, 12):
        viewer.choose("prompt", prompt)
        assert len(viewer.all("#attention-tokens .token")) == n
    viewer.press("]")
    assert len(viewer.all("#attention-tokens .token")) == 5
    viewer.press("[")
    assert len(viewer.all("#attention-tokens .token")) == 12


def test_text_from_the_file_is_shown_and_never_obeyed(view):
    viewer = view("hostile")
    viewer.choose("prompt", 2)
    texts = viewer.driver.execute_script("return [...document.querySelectorAll('#attention-tokens .token')].map((t) => t.textContent)")
    marks = {"\n": "\u21b5\n", "": "\u2205"}
    assert texts == [marks.get(HOSTILE[i % len(HOSTILE)], HOSTILE[i % len(HOSTILE)]) for i in range(20)]
    assert viewer.all("img") == [] and viewer.find("#model").text.startswith("</title><img src=x onerror=alert(2)>")
    for name in "neurons", "residual", "attention":
        viewer.tab(name)
        viewer.hover(viewer.token(1, {"neurons": "unit", "residual": "norm"}.get(name, name)))
        assert "<img src=x onerror=alert(1)>" in viewer.tip()["token"]


def test_the_policy_of_the_page_forbids_what_it_does_not_need(view):
    viewer = view("f32")
    policy = viewer.find('meta[http-equiv="Content-Security-Policy"]').get_attribute("content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy and "http" not in policy
    refused = viewer.driver.execute_async_script("""
        const done = arguments[0];
        fetch('http://127.0.0.1:9/').then(() => done('fetched'), (error) => done(String(error)));""")
    assert "Failed to fetch" in refused
    assert any("Content Security Policy" in entry["message"] for entry in viewer.complaints())


# ---- the keyboard ----

def test_everything_can_be_done_from_the_keyboard(view, files):
    viewer, pattern = view("f32"), stored(files["f32"], "pattern")
    viewer.solo(0, 0)
    viewer.click(viewer.find("#model"))
    viewer.press_with(Keys.SHIFT, Keys.ARROW_RIGHT)
    assert viewer.locked() == ["layer 0, head 1"]
    viewer.press(Keys.ARROW_DOWN)
    assert viewer.locked() == ["layer 1, head 1"]
    viewer.away()
    viewer.press(Keys.ARROW_LEFT)
    assert "query 10" in viewer.find("#sentence").text
    viewer.press(" ")
    assert "(locked)" in viewer.find("#sentence").text
    viewer.press("d")
    assert "key 10" in viewer.find("#sentence").text and viewer.find("#to-key").get_attribute("aria-pressed") == "true"
    viewer.press(Keys.ESCAPE)
    assert viewer.locked() == [] and "(locked)" not in viewer.find("#sentence").text
    viewer.press("2")
    assert viewer.find("#neurons").is_displayed()
    viewer.press(Keys.ARROW_DOWN)
    assert [unit.get_attribute("aria-selected") for unit in viewer.all(".unit")[:3]] == ["false", "true", "false"]
    viewer.press("3")
    assert viewer.find("#residual").is_displayed() and viewer.find("#norm-shown").text == "norm of resid_post, layer 2"
    viewer.press(Keys.ARROW_UP)
    assert viewer.find("#norm-shown").text == "norm of resid_post, layer 1"
    viewer.press("1", "?")
    assert viewer.find("#keys").is_displayed()
    viewer.press(Keys.ESCAPE)
    assert not viewer.find("#keys").is_displayed()
    viewer.solo(1, 1)
    canvas = viewer.find("#attention-map canvas")
    viewer.away()
    viewer.driver.execute_script("arguments[0].focus()", canvas)
    viewer.press(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    tip = viewer.tip()
    assert (index(tip["query"]), index(tip["key"])) == (10, 2)
    assert float(tip["weight"]) == digits(pattern[1, 0, 1, 10, 2], 4)
    assert viewer.find("#spoken").text == f"query 10 | word10|, key 2 | word2|: {tip['weight']}"


def test_arrows_go_to_the_first_and_to_the_last_token_and_no_further(view):
    viewer = view("f32")
    viewer.solo(0, 0)
    for position, key, ends in (1, Keys.ARROW_LEFT, 0), (10, Keys.ARROW_RIGHT, 11):
        viewer.click(viewer.token(position))
        for _ in range(2):
            viewer.press(key)
            assert f"query {ends} | word{ends}|" in viewer.find("#sentence").text
        viewer.press(Keys.ESCAPE)


def test_the_grid_of_heads_is_walked_with_arrows(view):
    viewer = view("f32")
    viewer.driver.execute_script("arguments[0].focus()", viewer.head(0, 0))
    viewer.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert viewer.shown() == "layer 1, head 1"
    viewer.press(" ", Keys.ARROW_RIGHT, Keys.ENTER)
    assert viewer.locked() == ["layer 1, head 1", "layer 1, head 2"]
    viewer.press(Keys.ARROW_DOWN, "s")
    assert viewer.locked() == ["layer 2, head 2"]


def test_the_tab_key_reaches_every_part_and_each_has_a_name(view):
    viewer, reached = view("f32"), []
    for _ in range(22):
        viewer.press(Keys.TAB)
        reached.append(viewer.driver.execute_script("return (document.activeElement.closest('[id]') || {}).id"))
    assert {"tab-attention", "prompt", "theme", "all-heads", "find", "zoom-in", "help", "combine", "heads", "from-query", "to-key", "attention-tokens", "scale",
            "hide-first", "attention-map"} <= set(reached)
    names = viewer.driver.execute_script("""
        return [...document.querySelectorAll('#attention button, #attention select, #attention canvas[tabindex], header button')].map(
            (e) => e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels[0].textContent) || '');""")
    assert all(names)


# ---- parts of a model ----

def test_partial_files_say_what_is_not_stored(view, files):
    viewer, pattern = view("part"), stored(files["part"], "pattern")
    assert [thumb.get_attribute("title") for thumb in viewer.all(".thumb")] == [f"layer {l}, head {h}" for l in (1, 2) for h in (0, 4)]
    viewer.solo(2, 4)
    viewer.click(viewer.token(5))
    viewer.hover(viewer.token(3))
    assert float(viewer.tip()["weight"]) == digits(pattern[2, 0, 4, 2, 3], 4)       # row 2 is position 5
    viewer.click(viewer.token(10))
    viewer.hover(viewer.token(3))
    assert viewer.tip()["weight"] == "not stored"
    viewer.tab("neurons")
    assert [unit.text.split("\n")[0] for unit in viewer.all(".unit")] == ["L1 · 3"]
    assert not viewer.find("#tab-residual").is_enabled()


def test_a_file_without_patterns_has_the_residual_view(view, files):
    viewer = view("residual")
    assert viewer.find("#residual").is_displayed() and not viewer.find("#tab-attention").is_enabled()
    assert [row.text.split()[0] for row in viewer.all("#norm-layers tr")] == ["L0", "L2"]
    norm = numpy.linalg.norm(stored(files["residual"], "resid_post")[2, 0, 4].astype("f8"))
    viewer.hover(viewer.token(4, "norm"))
    assert math.isclose(float(viewer.tip()["resid_post 2"]), norm, rel_tol=1e-7)


def test_layers_heads_and_prompts_are_those_that_were_asked_for(view, files):
    viewer, pattern = view("f32", "--layer", "-1", "--head", "1:3", "--prompt", "2"), stored(files["f32"], "pattern")
    assert [thumb.get_attribute("title") for thumb in viewer.all(".thumb")] == ["layer 2, head 1", "layer 2, head 2"]
    assert len(viewer.all("#attention-tokens .token")) == 20 and not viewer.find("#prompt").is_enabled()
    viewer.solo(2, 2)
    viewer.click(viewer.token(19))
    viewer.hover(viewer.token(13))
    assert float(viewer.tip()["weight"]) == digits(pattern[2, 2, 2, 19, 13], 4)


@pytest.mark.parametrize("size", [(800, 600), (420, 800), (1920, 1080)])
def test_nothing_runs_out_of_the_window(view, size):
    viewer = view("wide", size=size)
    for name in "attention", "neurons", "residual":
        viewer.tab(name)
        wide = viewer.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], (name, wide)


# ---- sizes ----

def test_thirty_layers_of_nine_heads_on_128_tokens_stay_under_ten_megabytes(view, files, tmp_path):
    viewer, pattern = view("wide"), stored(files["wide"], "pattern")
    assert (tmp_path / "wide.html").stat().st_size < 10_000_000
    viewer.solo(0, 8)
    viewer.click(viewer.token(127))
    viewer.hover(viewer.token(64))
    assert float(viewer.tip()["weight"]) == digits(pattern[0, 0, 8, 127, 64], 4)


def limit_of(message):
    """what a refusal advises: (what to choose, how much to ask for)"""
    advice = re.fullmatch(r"weir: the page would take (\S+ \S+), the limit is \S+ \S+: choose (?:(--\S+ \S+(?: --\S+ \S+)*), or )?"
                          r"(?:weir view )?(--max-size \d+)\n", message)
    assert advice, message
    return (advice[2] or "").split(), advice[3].split()


@pytest.mark.parametrize("options", [[], ["--neurons", "mlp_post:0.3"], ["--layer", "3:20"], ["--layer", "::2"]])
def test_a_page_that_would_be_too_large_is_refused_with_what_helps(files, tmp_path, options):
    page = tmp_path / "page.html"
    done = weir("view", files["wide"], "-o", page, "--max-size", "1", *options)
    assert done.returncode == 4 and list(tmp_path.iterdir()) == [], done.stderr
    choose, more = limit_of(done.stderr)
    assert weir("view", files["wide"], "-o", page, *options, *more).returncode == 0
    assert page.stat().st_size <= int(more[1]) * 1e6
    if choose:
        kept = [] if "--layer" in options and "--layer" in choose else options
        done = weir("view", files["wide"], "-o", page, "--force", "--max-size", "1", *kept, *choose)
        assert done.returncode == 0, (choose, done.stderr)
        assert page.stat().st_size <= 1e6


def test_what_does_not_fit_whole_has_its_largest_weights_and_says_so(view, files, tmp_path):
    viewer, pattern = view("wider", "--max-size", "12"), stored(files["wider"], "pattern")
    assert (tmp_path / "wider.html").stat().st_size <= 12_000_000
    whole = int(re.match(r"Every weight of (\d+) of 270 patterns", viewer.find("#what").text)[1])
    assert 0 < whole < 270 and whole == len(viewer.all("script[id^=head-]"))
    assert len(viewer.all("script[id^=map-]")) == 270 - whole + 1             # the opening head has both
    layer, head = next((layer, head) for layer in range(30) for head in range(9) if not viewer.all(f"#head-0-{layer * 9 + head}"))
    viewer.solo(layer, head)
    viewer.click(viewer.token(280))
    row = pattern[layer, 0, head, 280, :281]
    lines = [line.text.split() for line in viewer.all("#strongest tr")]
    assert len(lines) >= 2 and [int(line[0]) for line in lines] == list(numpy.argsort(-row, kind="stable")[:len(lines)])
    assert [float(line[-1]) for line in lines] == [digits(value, 4) for value in sorted(row, reverse=True)[:len(lines)]]
    rest = int(numpy.argsort(row)[100])
    viewer.hover(viewer.token(rest))
    text = viewer.tip()["weight"]
    assert text.startswith("at most ") and float(text[8:]) >= row[rest]


@pytest.mark.parametrize("name, options, code, message", [
    ("f32", ["--layer", "7"], 2, "layer"),
    ("f32", ["--head", "0:2+9"], 2, "head"),
    ("f32", ["--prompt", "3"], 2, "prompt"),
    ("part", ["--layer", "0"], 2, "none of that is stored"),
    ("part", ["--head", "1"], 2, "none of that is stored"),
    ("residual", ["--head", "0"], 3, "no attention patterns"),
    ("nothing", [], 3, "nothing for a page to show"),
    ("f32", ["--neurons", "pattern:0.1"], 2, "mlp_post:3.10"),
    ("f32", ["--neurons", "mlp_post:0.500"], 2, "d_mlp"),
    ("f32", ["--neurons", "mlp_pots:0.1"], 2, "mlp_post"),
])
def test_what_is_not_there_is_named(files, tmp_path, name, options, code, message):
    done = weir("view", files[name], "-o", tmp_path / "page.html", *options)
    assert done.returncode == code and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_existing_page_is_replaced_only_by_force(files, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("mine")
    done = weir("view", files["f32"], "-o", page)
    assert done.returncode == 5 and "--force" in done.stderr and page.read_text() == "mine"
    assert weir("view", files["f32"], "-o", page, "--force").returncode == 0
    assert page.read_text().startswith("<!doctype html>") and [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("place, value", [((0, 0, 0, 5, 2), 1.7), ((0, 0, 0, 5, 2), -0.25), ((0, 0, 0, 5, 9), 0.1),
                                          ((0, 0, 0, 5, 2), float("inf"))])
def test_what_is_no_causal_attention_is_refused(files, tmp_path, place, value):
    edited = tmp_path / "edited.h5"
    edited.write_bytes(files["f32"].read_bytes())
    with h5py.File(edited, "r+") as file:
        file["activations/pattern"][place] = value
    done = weir("view", edited, "-o", tmp_path / "page.html")
    assert done.returncode == 4 and f"query {place[3]}" in done.stderr and f"key {place[4]}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["edited.h5"]


def test_every_kind_of_weight_is_shown_as_it_is_stored(view, files, tmp_path):
    """ties, carries into the next decade, the smallest, NaN"""
    values = [0.0, 1.0, 0.15625, 0.09999996, 0.099985, 1e-7, 9.9e-8, 3.0517578e-05, 1.00040, 0.99996, 1.23456e-5, float("nan")]
    edited = tmp_path / "edited.h5"
    edited.write_bytes(files["f32"].read_bytes())
    with h5py.File(edited, "r+") as file:
        file["activations/pattern"][0, 0, 0, 11, :12] = values
    files["edited"] = edited
    viewer = view("edited")
    viewer.solo(0, 0)
    viewer.click(viewer.token(11))
    for key, value in enumerate(numpy.array(values, "f4")):
        viewer.hover(viewer.token(key))
        text = viewer.tip()["weight"]
        if numpy.isnan(value):
            assert text == "not stored"
        elif 0 < value < numpy.float32(1e-7):
            assert text == "under 1e-7"
        else:
            assert float(text) == digits(value, 4), value
