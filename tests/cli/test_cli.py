"""The command line as a person sees it: sessions of commands with their exact output.

A session file is a transcript: `$ weir ...` (with VARIABLE=value in front if need be), what it prints on standard
output, what it says on standard error, and `=> N` when the exit code is not 0. WEIR_UPDATE=1 writes the transcripts
anew: read the difference before you commit it. WEIR names the executable, WEIR_BUILD the build folder.
"""
import math
import os
import re
import shlex
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from program import CLEAN, ROOT, WEIR, ask, on_terminal, weir

HERE = Path(__file__).resolve().parent
SESSIONS = sorted((HERE / "sessions").glob("*.txt"))
VARYING = [(re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "DATE"), (re.compile(r"\d+ \w+ in \d+\.\d s"), "SIZE in N s"),
           (re.compile(r"about \d\S* \w+"), "about SIZE"),
           (re.compile(r"(digest +|\"digest\":\")[0-9a-f]{64}"), r"\1DIGEST"), (re.compile(r"(path +)\S+"), r"\1PATH")]


def run_line(folder, line):
    """`$ COLUMNS=60 weir ls x.h5` -> what a terminal would show, and the exit code"""
    words = shlex.split(line[2:])
    n = words.index("weir")
    done = weir(folder, *words[n + 1:], env=dict(word.split("=", 1) for word in words[:n]), stdin=subprocess.DEVNULL)
    text = (done.stdout + done.stderr).decode()
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text + (f"=> {done.returncode}\n" if done.returncode else "")


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_session(folder, session):
    expected = session.read_text()
    got = "".join(f"{line}\n{run_line(folder, line)}\n" for line in expected.splitlines() if line.startswith("$ "))
    if os.environ.get("WEIR_UPDATE"):
        session.write_text(got)
    assert got == expected


def test_failures_say_one_line_each():
    for session in SESSIONS:
        for command in session.read_text().split("$ ")[1:]:
            code = re.search(r"^=> (\d+)$", command, re.M)
            said = re.findall(r"^weir: .*", command, re.M)
            if code and int(code[1]) > 1:
                assert len(said) == 1, f"{session.name}: {command}"


def test_docs_are_made_from_the_tables(folder):
    done = weir(folder, "help", "--markdown")
    assert done.stdout.decode() == (ROOT / "docs/cli.md").read_text(), "run: weir help --markdown > docs/cli.md"


# ---- JSON ----

def test_hooks_json(folder):
    hooks = {hook["short"]: hook for hook in ask(folder, "hooks", "-m", "gpt2")["hooks"]}
    assert hooks["pattern"] == {"name": "blocks.{layer}.attn.hook_pattern", "short": "pattern",
                                "axes": ["head", "query", "key"], "layers": [0, 1, 2]}
    assert hooks["logits"]["layers"] == []
    assert "rot_q" not in hooks, "GPT-2 has no rotary positions"


def test_tokens_json(folder):
    assert ask(folder, "tokens", "-m", "letters", "-p", "a cat", "-p", "", "-f", "crlf.txt") == {"prompts": [
        {"ids": [0, 29], "text": ["a", " cat"]}, {"ids": [], "text": []},
        {"ids": [0, 29], "text": ["a", " cat"]}, {"ids": [0, 2, 19], "text": ["a", "c", "t"]}]}


def test_prompts_come_in_the_order_given(folder):
    done = weir(folder, "dump", "-m", "letters", "--tokens", "3,4", "-p", "act", "-f", "crlf.txt", "-o", "order.h5")
    assert done.returncode == 0, done.stderr.decode()
    assert [prompt["ids"] for prompt in ask(folder, "ls", "order.h5")["prompts"]] == [[3, 4], [0, 2, 19], [0, 29],
                                                                                     [0, 2, 19]]


def test_a_file_cannot_steer_the_terminal(folder):
    import h5py
    import shutil
    shutil.copy(folder / "whole.h5", folder / "hostile.h5")
    with h5py.File(folder / "hostile.h5", "r+") as file:
        file.attrs["model"] = "\x1b]0;owned\x07\u009b2J"
        file.attrs["command"] = "weir\ndump\x1b[2J"
        text = file["tokens/text"]
        value = text[()]
        value[0, 1] = b"\x1b[31m"
        text[()] = value
    for args in (["ls"], ["info"], ["attn", "-l", "0", "-H", "0"], ["show", "resid_post:0"]):
        done = weir(folder, args[0], "hostile.h5", *args[1:])
        shown = done.stdout.decode().replace("\n", "")
        assert done.returncode == 0, done.stderr.decode()
        assert "\\x1b" in shown and not any(c < " " or "\x7f" <= c < "\xa0" for c in shown), args


def test_show_json_has_whole_values_and_null_for_nothing(folder):
    value, = ask(folder, "show", "units.h5", "mlp_post:0@3:")["values"]
    assert value["axes"] == ["pos", "d_mlp"] and value["indices"][0] == [3, 4]
    assert len(value["data"]) == 2 and len(value["data"][0]) == 48
    assert value["data"][0][0] is None and value["data"][0][1] == 11.3125


def test_heads_json_agrees_with_python(folder):
    """the test files attend evenly to all keys up to the query"""
    summary = ask(folder, "heads", "whole.h5")["heads"][0]
    entropy = sum(math.log(n) for n in range(1, 24)) / 23
    assert summary["queries"] == 23
    assert summary["entropy"] == pytest.approx(entropy, rel=1e-6)
    assert summary["first"] == summary["self"] == pytest.approx(sum(1 / n for n in range(1, 24)) / 23, rel=1e-6)
    assert summary["previous"] == pytest.approx(sum(1 / n for n in range(2, 24)) / 22, rel=1e-6)
    assert summary["distance"] == pytest.approx(5.5, rel=1e-6)


def read(path, name):
    import h5py
    with h5py.File(path) as file:
        return file["activations"][name][()].astype("f8")


@pytest.mark.parametrize("name", ["whole", "unequal", "f16"])
def test_stats_agree_with_numpy(folder, name):
    import numpy as np
    for hook in ask(folder, "stats", f"{name}.h5")["hooks"]:
        if hook["short"] in ("pattern", "expert_indices"):  # keys past a prompt's end; -1 for none
            continue
        values = read(folder / f"{name}.h5", hook["short"])
        values = values[np.isfinite(values)]
        assert hook["count"] == values.size and hook["nan"] == 0
        assert hook["mean"] == pytest.approx(values.mean(), rel=1e-12)
        assert hook["std"] == pytest.approx(values.std(), rel=1e-12)
        assert hook["rms"] == pytest.approx(np.sqrt((values ** 2).mean()), rel=1e-12)
        assert (hook["min"], hook["max"]) == (values.min(), values.max())


@pytest.mark.parametrize("name", ["whole", "unequal", "f16", "units", "rows", "one_layer"])
def test_norms_of_rows_agree_with_numpy(folder, name):
    import numpy as np
    for hook in ask(folder, "stats", f"{name}.h5")["hooks"]:
        if hook["short"] in ("pattern", "expert_indices"):  # keys past a prompt's end; -1 for none
            continue
        values = read(folder / f"{name}.h5", hook["short"])
        values = values if "layers" in hook else values[None]
        if len(hook["name"].split("hook_scale")) > 1:
            values = values[..., None]  # a row of one value
        stored = np.isfinite(values).any(-1)
        norms = np.sqrt(np.nansum(values ** 2, -1))
        layers = [(layer["layer"], layer) for layer in hook.get("layers", [])] or [(0, hook)]
        for which, one in [*layers, (slice(None), hook)]:
            assert one["norm_mean"] == pytest.approx(norms[which][stored[which]].mean(), rel=1e-12)
            assert one["norm_max"] == pytest.approx(norms[which][stored[which]].max(), rel=1e-12)


def test_layers_are_in_the_table_of_stats_as_in_its_json(folder):
    lines = weir(folder, "stats", "unequal.h5").stdout.decode().splitlines()
    names, rows = re.split("  +", lines[0]), [line.split() for line in lines[1:]]
    at = [names.index(name) for name in ("count", "mean", "norm", "max norm")]
    for hook in ask(folder, "stats", "unequal.h5")["hooks"]:
        expected = {str(layer["layer"]): layer for layer in hook.get("layers", [])} or {"-": hook}
        expected |= {"all": hook} if len(expected) > 1 else {}
        found = {row[1]: [float(row[i]) for i in at] for row in rows if row[0] == hook["short"]}
        assert set(found) == set(expected)
        for layer, numbers in found.items():
            wanted = [expected[layer][name] for name in ("count", "mean", "norm_mean", "norm_max")]
            assert numbers == pytest.approx(wanted, abs=6e-5)


# ---- tables that explain ----

@pytest.mark.parametrize("width", [30, 50, 80, 100, 140, 200, None])
def test_hooks_explain_themselves_at_any_width(folder, width):
    env = {} if width is None else {"COLUMNS": str(width)}
    text = weir(folder, "hooks", "-m", "gpt2", env=env).stdout.decode()
    whole = weir(folder, "hooks", "-m", "gpt2").stdout.decode()
    assert "\u2026" not in text and re.sub(r"\s+", " ", text) == re.sub(r"\s+", " ", whole)
    if width is None:
        assert all(len(re.findall(r"\S", line)) > 20 for line in text.splitlines()[1:]), "a line a hook point"
    else:
        longest = max(max(map(len, line.split("  "))) for line in whole.splitlines())
        assert max(map(len, text.splitlines())) <= max(width, longest if width < 60 else 0)


# ---- what a shorter prompt does not have ----

def test_places_past_the_end_of_the_only_prompt_are_refused(folder):
    for index, n in ("[0, 2, 1]", 1), ("[0, 0, 100]", 5), ("[:, 2, 3:9]", 1), ("[0, -1, -1]", 1):
        done = weir(folder, "show", "unequal.h5", f"resid_post{index}")
        said = done.stderr.decode()
        assert (done.returncode, done.stdout, said.count("\n")) == (2, b"", 1)
        assert f"has only {n} stored positions" in said and index in said


def test_places_past_the_end_beside_others_are_called_so(folder):
    for index in "[0, 0, 3:7]", "[0, :, 1]":
        text = weir(folder, "show", "unequal.h5", f"resid_post{index}").stdout.decode()
        assert "||" not in text and re.search(r"^    - past the end( +-)+", text, re.M)


# ---- --prompt means the same everywhere ----

def test_all_prompts_are_all_in_every_command(folder):
    shown = ask(folder, "show", "unequal.h5", "resid_post:0@0", "--prompt", "all")["values"]
    assert [value["prompt"] for value in shown] == [0, 1, 2]
    text = weir(folder, "show", "unequal.h5", "resid_post:0@0", "--prompt", "all").stdout.decode()
    assert re.findall(r"prompt (\d) of 3", text) == ["0", "1", "2"]
    for value in "all", ":":
        maps = ask(folder, "attn", "unequal.h5", "-l", "0", "-H", "0", "--prompt", value)["maps"]
        assert [found["prompt"] for found in maps] == [0, 1, 2]
    assert ask(folder, "heads", "unequal.h5", "--prompt", "all") == ask(folder, "heads", "unequal.h5")


@pytest.mark.parametrize("command", [["show", "unequal.h5", "z"], ["attn", "unequal.h5"], ["heads", "unequal.h5"]])
def test_a_prompt_that_is_not_there_is_refused_in_every_command(folder, command):
    for value in "3", "-4", "alle":
        done = weir(folder, *command, "--prompt", value)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)


def test_all_prompts_are_all_in_a_page(folder, tmp_path):
    assert weir(folder, "view", "unequal.h5", "--prompt", "all", "-o", tmp_path / "all.html").returncode == 0
    assert weir(folder, "view", "unequal.h5", "-o", tmp_path / "none.html").returncode == 0
    assert (tmp_path / "all.html").read_bytes() == (tmp_path / "none.html").read_bytes()


@pytest.mark.parametrize("command", [["attn", "x.h5"], ["attn", "x.h5", "--top", "3"], ["heads", "x.h5"],
                                     ["view", "x.h5", "--head", "0", "-o", "y.html"]])
def test_a_file_without_patterns_is_told_in_one_way(folder, tmp_path, command):
    assert weir(tmp_path, "dump", "-p", "a", "--hooks", "z", "-o", "x.h5").returncode == 0
    done = weir(tmp_path, *command)
    assert done.returncode == 3
    assert done.stderr.decode() == "weir: the file has no attention patterns; dump with --hooks pattern\n"


def damage(folder, name, place, value):
    """a copy of whole.h5 with one value changed"""
    import h5py
    import shutil
    path = folder / name
    shutil.copy(folder / "whole.h5", path)
    with h5py.File(path, "r+") as file:
        file["activations/resid_post"][place] = value
    return path


def test_a_nan_among_numbers_is_counted(folder):
    damage(folder, "nan.h5", (1, 0, 3, 5), math.nan)
    hooks = {hook["short"]: hook for hook in ask(folder, "stats", "nan.h5")["hooks"]}
    assert hooks["resid_post"]["nan"] == 1 and hooks["resid_post"]["not_stored"] == 0
    assert [layer["nan"] for layer in hooks["resid_post"]["layers"]] == [0, 1, 0]
    different = ask(folder, "diff", "whole.h5", "nan.h5", code=1)
    assert [hook["short"] for hook in different["hooks"] if not hook["same"]] == ["resid_post"]


@pytest.mark.parametrize("value, counts", [(math.nan, (32, 0)), (struct.unpack("<f", b"\0\0\xea\x7f")[0], (0, 32))])
def test_rows_that_are_not_stored_are_no_nan(folder, value, counts):
    damage(folder, "row.h5", (1, 0, 3), value)
    hook = next(hook for hook in ask(folder, "stats", "row.h5")["hooks"] if hook["short"] == "resid_post")
    assert (hook["nan"], hook["not_stored"]) == counts


def test_diff_finds_the_place_and_knows_its_tolerance(folder):
    before = read(folder / "whole.h5", "resid_post")[2, 0, 7]
    damage(folder, "other.h5", (2, 0, 7, 11), before[11] + 0.25)
    hook = next(hook for hook in ask(folder, "diff", "whole.h5", "other.h5", code=1)["hooks"] if not hook["same"])
    assert (hook["short"], hook["layer"], hook["prompt"], hook["position"]) == ("resid_post", 2, 0, 7)
    assert hook["absolute"] == 0.25 and hook["relative"] == pytest.approx(0.25 / before.max())
    assert ask(folder, "diff", "whole.h5", "other.h5", "-t", "0.25")["same"] is True
    assert ask(folder, "diff", "whole.h5", "other.h5", "-t", "0.2499", code=1)["same"] is False


@pytest.mark.parametrize("odd", [False, True], ids=["numbers", "with_infinities"])
def test_a_relative_difference_is_to_the_larger_of_both_files(folder, odd):
    import h5py
    before = read(folder / "whole.h5", "resid_post")[2, 0, 7, 11]
    for name, value in ("lesser.h5", before), ("greater.h5", 100):
        with h5py.File(damage(folder, name, (2, 0, 7, 11), value), "r+") as file:
            if odd:
                file["activations/resid_post"][2, 0, 7, 3] = math.inf
    for files in ("lesser.h5", "greater.h5"), ("greater.h5", "lesser.h5"):
        hook = next(hook for hook in ask(folder, "diff", *files, code=1)["hooks"] if not hook["same"])
        assert hook["relative"] == pytest.approx((100 - before) / 100) and hook["unlike"] == 0


# ---- numbers of options ----

RANGES = [("attn x.h5 --top", 1, 1000000), ("attn x.h5 --columns", 1, 1000), ("view x.h5 -o x.html --max-size", 1, 1000),
          ("next x.h5 --top", 1, 2**31 - 1), ("dump -m nowhere -p a -o y.h5 --next", 1, 1000000),
          ("dump -m nowhere -p a -o y.h5 --threads", 1, 256), ("heads -m nowhere --length", 1, 2**24),
          ("heads -m nowhere --sequences", 1, 2**16), ("heads -m nowhere --seed", 0, 2**63 - 1)]


@pytest.mark.parametrize("words, least, most", RANGES, ids=[row[0].replace(" ", "_") for row in RANGES])
def test_a_number_outside_its_options_range_is_refused_with_the_range(tmp_path, words, least, most):
    """before any file is looked for: none of these is there"""
    option = words.split()[-1]
    for value in least - 1, most + 1:
        done = weir(tmp_path, *words.split(), str(value))
        said = f"weir: {option}: {value} is out of range; it goes from {least} to {most}\n"
        assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (2, "", said)


# ---- the terminal ----

def attn(folder, **env):
    return on_terminal(folder, "attn", "unequal.h5", "-l", "0", "-H", "0", COLUMNS="60", **env)


def test_heatmap_uses_the_colours_that_there_are(folder):
    full, some = attn(folder, TERM="xterm", COLORTERM="truecolor"), attn(folder, TERM="xterm-256color")
    assert "\033[48;2;255;245;180m" in full and "\033[48;5;" not in full
    assert "\033[48;5;229m" in some and "\033[48;2;" not in some
    for text in full, some:
        lines = text.split("\n\n")[1].splitlines()
        assert all(line.rstrip().endswith("\033[0m") for line in lines[1:-2]), "colours end with the line"
        assert lines[-1].strip() == "blank: masked"


@pytest.mark.parametrize("env", [{"TERM": "xterm", "NO_COLOR": "1", "COLORTERM": "truecolor"}, {"TERM": "dumb"}, {}])
def test_heatmap_without_colour(folder, env):
    assert "\033" not in attn(folder, **env)


def test_a_grid_has_numbers_on_colours_where_there_is_room(folder):
    args = ["heads", "unequal.h5", "--grid", "first"]
    wide = on_terminal(folder, *args, COLUMNS="80", TERM="xterm", COLORTERM="truecolor")
    assert len(re.findall(r"\033\[48;2;\d+;\d+;\d+m\033\[38;2;(?:0;0;0|255;255;255)m +0\.06\033\[0m", wide)) == 12
    narrow = on_terminal(folder, *args, COLUMNS="20", TERM="xterm")
    assert len(re.findall(r"\033\[48;5;\d+m", narrow)) == 12 + 10 and "0.06" not in narrow
    for text, width in (wide, 80), (narrow, 20):
        assert max(len(re.sub(r"\033\[[\d;]*m", "", line)) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_heatmaps_and_tables_fit_the_terminal(folder, width):
    for args in (["attn", "unequal.h5", "-l", "0", "-H", "0", "--prompt", "1"], ["heads", "whole.h5"]):
        text = on_terminal(folder, *args, COLUMNS=str(width), TERM="dumb")
        assert max(map(len, text.splitlines())) <= max(width, 76), args


# ---- output that cannot be written, and runs that are ended ----

@pytest.mark.parametrize("args", [["ls", "whole.h5"], ["show", "unequal.h5", "*", "--json", "--prompt", "1"],
                                  ["--help"], ["stats", "whole.h5", "--json"]])
def test_a_full_disk_is_noticed(folder, args):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([WEIR, *args], cwd=folder, env=CLEAN, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 5
    assert done.stderr.startswith(b"weir: could not write to standard output") and done.stderr.count(b"\n") == 1


def test_a_reader_that_goes_away_ends_a_query_quietly(folder):
    command = [WEIR, "show", "unequal.h5", "*", "--json", "--prompt", "1"]
    with subprocess.Popen(command, cwd=folder, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == -signal.SIGPIPE and said == b""


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_dump_ends_cleanly(folder, tmp_path, number, code):
    prompt = ",".join(str(i % 50) for i in range(90))
    args = ["dump", "-m", str(folder / "gpt2"), "-o", "out.h5", "--hooks", "resid_post@-1"]
    command = [WEIR, *args, *["--tokens", prompt] * 4000]
    with subprocess.Popen(command, cwd=tmp_path, env=CLEAN, stderr=subprocess.PIPE) as process:
        plan = process.stderr.readline()
        process.send_signal(number)
        said = process.stderr.read()
    assert b"4000 prompts" in plan
    assert (process.returncode, said) == (code, b"weir: interrupted; nothing was written\n")
    assert list(tmp_path.iterdir()) == []


def test_a_position_that_a_prompt_lacks_names_the_prompt(tmp_path):
    assert weir(tmp_path, "dump", "--tokens", "1,2,3,4,5,6", "--tokens", "1,2,3", "-o", "two.h5").returncode == 0
    for command in ["show"], ["show", "--json"], ["export", "-o", "o.csv"], ["export", "-o", "o.npy"]:
        done = weir(tmp_path, command[0], "two.h5", "resid_post:0@5", "--prompt", "all", *command[1:])
        assert (done.returncode, done.stderr) == (2, b"weir: prompt 1: resid_post:0@5: position 5 is out of range; it goes from 0 to 2\n"), done


def test_files_of_unlike_numbers_of_prompts_are_told_apart(tmp_path):
    assert weir(tmp_path, "dump", "--tokens", "1", "--tokens", "2", "-o", "two.h5").returncode == 0
    assert weir(tmp_path, "dump", "--tokens", "1", "-o", "one.h5").returncode == 0
    done = weir(tmp_path, "diff", "one.h5", "two.h5")
    assert done.returncode == 3 and done.stderr.startswith(b"weir: 1 prompt in one file and 2 in the other;"), done
    done = weir(tmp_path, "diff", "two.h5", "one.h5")
    assert done.stderr.startswith(b"weir: 2 prompts in one file and 1 in the other;"), done
