"""weir tui in a real terminal: tmux runs it, keys are sent, the screen is read, values are compared with h5py's.

Waits are for what the screen shows, never for time.
"""
import math
import os
import pty
import re
import shutil
import signal
import subprocess
import time
import unicodedata
from pathlib import Path

import h5py
import numpy as np
import pytest

from program import BUILD, ROOT, WEIR
from terminal import PATIENCE, Terminal, tui

TOKENS = {2: "\x1b[31mred", 3: "日本語", 4: "e\u0301a\u0308\u200b", 5: "\u202eabc\u2066", 6: "\x9b2J\r\n", 7: "👍🏽"}


def random_patterns(path):
    """writes causal patterns that sum to 1, all different, and tokens that a terminal would trip over"""
    rng = np.random.default_rng(7)
    with h5py.File(path, "r+") as file:
        pattern, lengths = file["activations/pattern"], file["prompts/length"][:]
        for prompt, n in enumerate(lengths):
            for layer, head in np.ndindex(pattern.shape[0], pattern.shape[2]):
                weights = np.tril(rng.random((n, n)) ** 6 + 1e-4)
                pattern[layer, prompt, head, :n, :n] = weights / weights.sum(1, keepdims=True)
        text, attributes = file["tokens/text"][:].astype("S24"), dict(file["tokens/text"].attrs)
        for i, token in TOKENS.items():
            text[1, i] = token.encode()
        del file["tokens/text"]
        file["tokens/text"] = text
        file["tokens/text"].attrs.update({name: attributes[name] for name in attributes if name != "DIMENSION_LIST"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tui")
    for name in "unequal", "units", "one_layer", "rows", "gzip":
        subprocess.run([BUILD / "tests/unit/store_cli", name, folder / f"{name}.h5"], check=True)
    shutil.copy(folder / "unequal.h5", folder / "random.h5")
    random_patterns(folder / "random.h5")
    (folder / "tmux.conf").write_text("set -g default-terminal tmux-256color\nset -g escape-time 0\n")
    return folder


def status(row, column, value, kind=("query", "key")):
    """what the last line says of the chosen cell"""
    return rf"^ {kind[0]} {row} \|.*\|  {kind[1]} {column} (\|.*\|)?  {re.escape(value)} "


def stored(folder, name, *index, point="pattern"):
    with h5py.File(folder / name) as file:
        return file[f"activations/{point}"][index]


def listed(screen):
    """the strongest keys as the screen lists them -> [(key, weight, ...)]"""
    lines = [line.split("│")[-1] for line in screen.split("strongest keys")[1].splitlines()[1:] if "q quit" not in line]
    rows = [re.search(r"^ +(\d+) \|.*?\|? +([-+.\d]+)(?: +([-+.\d]+) +([-+.\d]+))? *$", line) for line in lines]
    return [tuple(float(part) for part in row.groups() if part) for row in rows if row]


def test_the_chosen_weight_is_the_stored_one(folder):
    weight = stored(folder, "random.h5", 0, 1, 0, 9, 4)
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        terminal.wait(status(0, 0, "1.0000"))
        terminal.keys(*["Down"] * 9, *["Right"] * 4)
        screen = terminal.wait(status(9, 4, f"{weight:.4f}"))
        assert screen.splitlines()[0].startswith(" pattern  layer 0  head 0  prompt 1 of 3 ")


def test_the_strongest_keys_are_those_of_numpy(folder):
    row = stored(folder, "random.h5", 0, 1, 0, 40)
    order = np.argsort(-row[:150], kind="stable")
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        terminal.keys(*["j"] * 40)
        got = listed(terminal.wait(r"^.*query 40 \|.*\|  key 0 "))
    assert len(got) >= 5
    assert got == [(key, pytest.approx(row[key], abs=5.1e-5)) for key in order[:len(got)]]


def test_keys_change_layer_and_head_within_what_there_is(folder):
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        terminal.keys(*"jjjjjjj")
        for keys, layer, head in (["}", "]"], 1, 1), (["NPage", "+", "+"], 2, 3), (["}", "]", "]"], 2, 3), \
                                 (["PPage", "-"], 1, 2), (["{", "{", "["], 0, 1):
            terminal.keys(*keys)
            terminal.wait(rf"^ pattern  layer {layer}  head {head} ")
            terminal.wait(status(7, 0, f"{stored(folder, 'random.h5', layer, 1, head, 7, 0):.4f}"))


def test_prompts_of_other_lengths_keep_the_row_where_they_can(folder):
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        terminal.keys("G", "End")
        terminal.wait(status(149, 149, f"{stored(folder, 'random.h5', 0, 1, 0, 149, 149):.4f}"))
        terminal.keys("P")
        terminal.wait(status(4, 4, f"{stored(folder, 'random.h5', 0, 0, 0, 4, 4):.4f}"))
        terminal.keys("p", "p")
        assert "query ↓ 1   key → 1" in terminal.wait(status(0, 0, "1.0000"))


def test_a_locked_row_stands_beside_others(folder):
    with tui(folder, "random.h5", "--prompt", 1, width=150) as terminal:
        terminal.keys(*"jjjjjjjj", "Space", "}", "]", "j")
        screen = terminal.wait(r"locked: layer 0 head 0 query 8 ")
        screen = terminal.wait(r"^ query 9 .*key 0")
        here, there = stored(folder, "random.h5", 1, 1, 1, 9), stored(folder, "random.h5", 0, 1, 0, 8)
        got = listed(screen)
        assert [row[0] for row in got] == list(np.argsort(-np.maximum(here, there), kind="stable")[:len(got)])
        assert len(got) == 10, "keys over 0 in one of the two"
        for key, *values in got:
            key = int(key)
            assert values == pytest.approx([here[key], there[key], here[key] - there[key]], abs=1e-4)
        terminal.keys("Space")
        terminal.wait(r"strongest keys *$")


def test_a_locked_row_of_another_prompt_is_listed_by_itself(folder):
    with tui(folder, "random.h5", "--prompt", 1, width=150) as terminal:
        terminal.keys("j", "j", "Space", "P")
        terminal.wait(r"locked, pattern:")
        screen = terminal.wait(status(2, 0, f"{stored(folder, 'random.h5', 0, 0, 0, 2, 0):.4f}"))  # written last
        row = stored(folder, "random.h5", 0, 1, 0, 2)
        assert [key for key, _ in listed(screen.split("locked, pattern:")[0])] == \
            list(np.argsort(-stored(folder, "random.h5", 0, 0, 0, 2)[:3]))
        assert listed("strongest keys" + screen.split("strongest keys")[2]) == \
            [(key, pytest.approx(row[key], abs=5.1e-5)) for key in np.argsort(-row)[:3]]


def test_without_the_first_token_the_rest_are_parts_of_1(folder):
    rows = stored(folder, "random.h5", 0, 1, 0).astype("f8")
    query = 2 + int(rows[2:20, 0].argmax())
    row, key = rows[query], 1 + int(rows[query, 1:].argmax())
    assert row[0] > 0.1 and row[key] > 0.1
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        terminal.keys(*"j" * query, *"l" * key, "f")
        terminal.wait("without the first token")
        terminal.wait(status(query, key, f"{row[key] / row[1:].sum():.4f}"))
        terminal.keys("f")
        terminal.wait(r"(?s)\A(?!.*without the first token)")
        terminal.wait(status(query, key, f"{row[key]:.4f}"))


def test_search_goes_to_tokens_and_around(folder):
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        terminal.keys("/", "本", "Enter")
        terminal.wait(r"^ query 3 \|日本")
        terminal.keys("n")
        terminal.wait(r"^ query 3 ")
        terminal.keys("/", *"nowhere", "BSpace")
        terminal.wait(r"^ go to the token with text: nowher_")
        terminal.keys("Enter")
        terminal.wait(r"^ no token has that text")


def test_the_next_and_the_previous_match_are_the_nearest(folder):
    with h5py.File(folder / "random.h5") as file:
        found = [i for i, text in enumerate(file["tokens/text"][1]) if b"t2" in text]
    assert found[:3] == [15, 22, 23], "far, and beside each other"
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        terminal.keys("/", *"t2", "Enter")
        for key, match in ("n", found[0]), ("n", found[1]), ("N", found[2]), ("N", found[1]), ("N", found[0]), ("n", found[-1]):
            terminal.wait(rf"^ query {match} \|")
            terminal.keys(key)
        terminal.wait(rf"^ query {found[0]} \|")


def test_backspace_takes_the_last_letter_however_many_bytes_it_has(folder):
    with tui(folder, "random.h5") as terminal:
        terminal.keys("/", *"aé日👍")
        for left in "aé日👍", "aé日", "aé", "a", "":
            terminal.wait(rf"^ go to the token with text: {left}_")
            terminal.keys("BSpace")


# ---- other points ----

def choose(terminal, point):
    """goes to a point by the tree, as a person would: down until the title says it"""
    terminal.keys("Tab", "Left", "g")
    terminal.wait(r"^ ln1_scale ")
    while not terminal.screen().startswith(f" {point} "):
        before = terminal.screen("-e")  # with its attributes: the cursor may be all that moves
        terminal.keys("Down")
        terminal.wait(rf"\A(?!{re.escape(before)})", "-e")
    terminal.keys("BTab")


def test_neurons_show_value_norm_and_largest(folder):
    values = stored(folder, "unequal.h5", 0, 1, 3, point="mlp_post").astype("f8")
    with tui(folder, "unequal.h5", "--prompt", 1) as terminal:
        choose(terminal, "mlp_post")
        terminal.keys("j", "j", "j", "End")
        screen = terminal.wait(status(3, 47, f"{values[47]:.4f}", ("pos", "d_mlp")))
    assert f"norm {np.linalg.norm(values):.4f}  mean {values.mean():.4f}" in screen
    assert re.search(rf"largest of d_mlp *\n.* {np.argmax(values)} +{values.max():.4f}", screen)


def test_points_without_units_are_bars(folder):
    values = stored(folder, "unequal.h5", 0, 1, point="ln1_scale")
    with tui(folder, "unequal.h5", "--prompt", 1) as terminal:
        choose(terminal, "ln1_scale")
        screen = terminal.wait(r"^ ln1_scale  layer 0  prompt 1")
        for position in 0, 1, 5:
            assert re.search(rf" {position} \|.*\| .* {values[position]:.4f} +[▏▎▍▌▋▊▉█]", screen)


def test_only_stored_layers_and_heads_can_be_chosen(folder):
    with tui(folder, "one_layer.h5") as terminal:
        screen = terminal.wait(r"^ pattern  layer 1  head 0 ")
        assert "layer 1" in screen and "layer 0" not in screen and "layer 2" not in screen
        terminal.keys("}", "{", "{", "]")
        terminal.wait(r"^ pattern  layer 1  head 1 ")
    with tui(folder, "units.h5") as terminal:
        terminal.wait(r"^ pattern  layer 0  head 1 ")
        terminal.keys("]", "[", "[", "}")
        terminal.wait(r"^ pattern  layer 1  head 1 ")


def test_rows_have_the_positions_that_are_stored(folder):
    with tui(folder, "rows.h5") as terminal:
        terminal.wait(r"^ query 2 ")
        terminal.keys("j")
        terminal.wait(status(5, 0, f"{stored(folder, 'rows.h5', 0, 0, 0, 1, 0):.4f}"))


def test_nan_and_infinity_are_shown_as_what_they_are(folder):
    shutil.copy(folder / "unequal.h5", folder / "nan.h5")
    with h5py.File(folder / "nan.h5", "r+") as file:
        values = file["activations/resid_post"]
        values[0, 1, 0, :3] = np.frombuffer(b"\1\0\xc0\x7f" + np.float32([np.inf, -np.inf]).tobytes(), "<f4")
    with tui(folder, "nan.h5", "--prompt", 1, NO_COLOR="1") as terminal:
        choose(terminal, "resid_post")
        screen = terminal.wait(status(0, 0, "NaN", ("pos", "d_model")))
        assert re.search(r" 0 \|.*\| *▸ *.*\?@@", screen), "a NaN is a question mark, infinity is the most"
        assert "29 of 32 are finite" in screen
        terminal.keys("l")
        terminal.wait(status(0, 1, "inf", ("pos", "d_model")))


# ---- the terminal ----

def cells(terminal, line):
    """ground colours of the characters of a line, as tmux writes them"""
    ground, got = None, []
    for part in re.findall(r"\x1b\[[\d;]*m|.", terminal.screen("-e", "-N").splitlines()[line]):
        if part[0] != "\x1b":
            got.append((part, ground))
        elif codes := re.search(r"48;5;(\d+)", part):
            ground = int(codes[1])
        elif re.search(r"[\[;](0|49)?m", part):
            ground = None
    return got


def test_shades_are_those_of_weir_attn(folder):
    with tui(folder, "random.h5") as terminal:
        screen = terminal.wait(status(0, 0, "1.0000"))
        line = next(i for i, text in enumerate(screen.splitlines()) if " 0 |" in text and "▸" in text)
        grounds = [ground for _, ground in cells(terminal, line)[len(screen.splitlines()[line].split("▸")[0]) + 1:]]
    assert grounds[:2] == [229, 229] and set(grounds[2:]) <= {None}, "1 is the palest, masked the terminal's own"


def test_long_prompts_are_half_blocks_with_two_rows_a_line(folder):
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        screen = terminal.wait(status(0, 0, "1.0000"))
        line = next(i for i, text in enumerate(screen.splitlines()) if " 0 |" in text and "▀▄" in text)
        assert re.match(r".* 2 \|", screen.splitlines()[line + 1])
        text = terminal.screen("-e").splitlines()[line]
        assert re.search(r"38;5;229(;|m).*?▀", text), "the upper half is query 0, all of it on key 0"
        terminal.keys("z")
        assert re.match(r".* 1 \|", terminal.wait(r" 0 \|.*\| +▸").splitlines()[line + 1]), "zoomed: one row a line"


def test_no_colour_means_letters(folder):
    with tui(folder, "random.h5", NO_COLOR="1") as terminal:
        screen = terminal.wait(r" 0 \|.*▸ ?@@")
        assert not re.search(r"[34]8;5;", terminal.screen("-e")) and "▀" not in screen


def in_columns(line):
    """the line with one character a column: marks left out, wide ones twice"""
    return "".join(c * (2 if unicodedata.east_asian_width(c) in "WF" else 1) for c in line
                   if unicodedata.category(c) not in ("Mn", "Me", "Cf") and not "\U0001f3fb" <= c <= "\U0001f3ff")


def frame(screen, column):
    return {in_columns(line)[column:column + 1] for line in screen.splitlines()[1:-1]}


def test_hostile_and_wide_tokens_leave_the_frame_whole(folder):
    with tui(folder, "random.h5", "--prompt", 1, width=150, height=60, NO_COLOR="1") as terminal:
        screen = terminal.wait(r"^ query 0")
        assert r" 2 |\x1b[31mred|" in screen and re.search(r" 3 \|日本語\|", screen)
        assert re.search(r" 4 \|e\u0301a\u0308", screen) and "\u202e" not in screen and r" 5 |\u{202e}abc" in screen
        assert not any(c < " " or "\x7f" <= c < "\xa0" for c in screen.replace("\n", ""))
        assert frame(screen, 26) == {"│"}


@pytest.mark.parametrize("width, height", [(80, 24), (60, 16), (100, 30), (200, 60)])
def test_it_fits_the_screen_and_follows_its_size(folder, width, height):
    with tui(folder, "random.h5", "--prompt", 1) as terminal:
        terminal.keys(*["j"] * 30, *["l"] * 28)
        terminal.wait(r"^ query 30 .*key 28 ")
        terminal.resize(width, height)
        wanted = rf"\A pattern  layer 0 [^\n]*\n(.*\n){{{height - 2}}} query 30 .*q quit\s*\Z"
        screen = terminal.wait(wanted)
        assert re.search(r" 30 \|", screen) and max(len(in_columns(line)) for line in screen.splitlines()) <= width


def test_a_tiny_screen_says_so_and_grows_again(folder):
    with tui(folder, "random.h5", width=30, height=5) as terminal:
        assert terminal.wait(r"needs 60x16").startswith("30x5 is too small")
        terminal.resize(80, 24)
        terminal.wait(r"^ query 0 .*q quit")
        terminal.resize(5, 2)
        terminal.wait(r"^5x2")
        terminal.keys("q")
        terminal.resize(80, 24)
        terminal.wait(r"^code 0$")


def test_help_lists_every_key_that_the_manual_lists(folder):
    manual = (ROOT / "docs/tui.md").read_text()
    rows = re.findall(r"^\| `(.*)` \| (.*) \|$", manual, re.M)
    assert len(rows) >= 15
    with tui(folder, "random.h5") as terminal:
        terminal.keys("?")
        screen = terminal.wait("any key goes back")
        for keys, meaning in rows:
            assert re.search(rf"  {re.escape(keys)} +{re.escape(meaning)}", screen), keys
        assert len(rows) == len(re.split(r"\n.*  keys *\n", screen)[1].split("any key")[0].splitlines()) - 1
        terminal.keys("q")
        terminal.wait(r"^ query 0 ")


# ---- coming and going ----

def restoring(folder, how):
    """runs it between two looks at the terminal's settings -> what stands on the screen afterwards"""
    command = f"echo BEFORE; stty -g > a; sh -c 'echo $$ > pid; exec {WEIR} tui random.h5'; echo code $?; stty -g > b"
    with Terminal(folder, command) as terminal:
        terminal.wait(r"^ query 0 ")
        how(terminal, int((folder / "pid").read_text()))
        screen = terminal.wait(r"^code \d+\ncode 0$")  # weir's, then that of stty
    assert (folder / "a").read_text() == (folder / "b").read_text()
    assert screen.startswith("BEFORE\n"), "the screen from before is back"
    return screen


@pytest.mark.parametrize("keys", ["q", "Q"])
def test_quitting_gives_the_terminal_back(folder, keys):
    assert restoring(folder, lambda terminal, _: terminal.keys(keys)).split("\n")[1] == "code 0"


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_give_the_terminal_back(folder, number, code):
    def how(terminal, pid):
        terminal.keys("C-c") if number == signal.SIGINT else os.kill(pid, number)
    assert f"weir: interrupted\ncode {code}\n" in restoring(folder, how)


def test_a_crash_gives_the_terminal_back(folder):
    screen = restoring(folder, lambda _, pid: os.kill(pid, signal.SIGBUS))
    assert f"code {128 + signal.SIGBUS}\n" in screen


def test_it_ends_when_its_terminal_goes_away(folder):
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(WEIR, [WEIR, "tui", str(folder / "unequal.h5")])
    os.read(terminal, 1)    # it draws
    os.close(terminal)
    end = time.monotonic() + PATIENCE
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.02)
    if not ended[0]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended[0], "it runs on without a terminal"


def test_it_can_be_stopped_and_go_on(folder):
    with Terminal(folder, "PS1='$ ' bash --norc -i") as terminal:
        terminal.wait(r"^\$")
        terminal.keys(f"{WEIR} tui random.h5", "Enter")
        terminal.wait(r"^ query 0 ")
        terminal.keys("j")
        terminal.wait(r"^ query 1 ")
        terminal.keys("C-z")  # throws away what is typed and not yet read
        terminal.wait(r"Stopped")
        terminal.keys("fg", "Enter")
        terminal.wait(r"^ query 1 ")
        terminal.keys("q")
        terminal.wait(r"Stopped(.*\n)+\$ fg\n(.*\n)*\$ *$")


def test_without_a_terminal_it_says_what_to_use_instead(folder):
    done = subprocess.run([WEIR, "tui", "random.h5"], cwd=folder, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("weir: weir tui needs a terminal for its input and output; weir ls, weir attn and weir show "
                           "can write to files and pipes\n")


@pytest.mark.parametrize("term", ["dumb", "no-such-terminal", ""])
def test_a_terminal_that_cannot_be_drawn_on_is_named(folder, term):
    with tui(folder, "random.h5", TERM=term, ready="^code") as terminal:
        screen = terminal.wait(r"^code 2$")
    assert "weir tui cannot draw on a terminal" in screen and term in screen


def test_a_file_that_is_none_leaves_the_terminal_alone(folder):
    (folder / "text.h5").write_text("no HDF5")
    with tui(folder, "text.h5", ready="^code") as terminal:
        assert "text.h5" in terminal.wait(r"^code 3$")


def test_damage_is_told_where_the_values_would_be(folder):
    with h5py.File(folder / "gzip.h5") as file:
        chunk = file["activations/pattern"].id.get_chunk_info_by_coord((1, 0, 0, 0, 0))
    data = bytearray((folder / "gzip.h5").read_bytes())
    data[chunk.byte_offset:chunk.byte_offset + chunk.size] = bytes(chunk.size)
    (folder / "damaged.h5").write_bytes(data)
    with tui(folder, "damaged.h5") as terminal:
        terminal.wait(status(0, 0, "1.0000"))
        terminal.keys("}")
        terminal.wait(r"│ damaged.h5: .*pattern.* does not decompress")
        terminal.keys("}")
        terminal.wait(status(0, 0, "1.0000"))


def test_only_what_is_shown_is_read(folder):
    prompt = ",".join(str(i % 50) for i in range(90))
    subprocess.run([WEIR, "dump", "-m", ROOT / "tests/model/fixtures/gpt2", "-o", "big.h5", "--hooks", "pattern",
                    *["--tokens", prompt] * 150], cwd=folder, check=True, capture_output=True)
    assert os.path.getsize(folder / "big.h5") > 40e6
    with Terminal(folder, f"sh -c 'echo $$ > pid; exec {WEIR} tui big.h5'") as terminal:
        terminal.wait("q quit")
        terminal.keys("j", "]", "}", "p")
        terminal.wait(r"^ pattern  layer 1  head 1  prompt 1 of 150 ")
        io = Path(f"/proc/{int((folder / 'pid').read_text())}/io").read_text()
    assert int(re.search(r"rchar: (\d+)", io)[1]) < 3e6


def test_the_likeliest_next_tokens_stand_beside_a_row(folder):
    prompt = ["--tokens", "1,2,3,4", "--tokens", "5,6"]
    subprocess.run([WEIR, "dump", *prompt, "--next", "4", "--hooks", "pattern", "-o", folder / "next.h5", "--force"], check=True)

    def line(prompt, row):
        with h5py.File(folder / "next.h5") as file:
            texts = dict(zip(file["next/word_id"][()].tolist(), file["next/word_text"][()]))
            words = [(texts[id].decode(), math.exp(value)) for id, value in
                     zip(file["next/id"][prompt, row, :3].tolist(), file["next/logprob"][prompt, row, :3])]
        return "then " + ", ".join(rf"\|{re.escape(text)}\| {value:.2f}" for text, value in words)

    with tui(folder, "next.h5", width=150) as terminal:
        terminal.wait(line(0, 0))
        terminal.keys("j")
        terminal.wait(line(0, 1))
        terminal.keys("p")
        terminal.wait(line(1, 1))
