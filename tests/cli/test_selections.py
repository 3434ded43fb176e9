"""What a selection names beyond layers, units and numbers of positions: terms that take away, fields, keys, prompts."""
import json

import h5py
import numpy as np
import pytest

from program import INPUT, USAGE, ask, weir

LINES = [{"prompt": "a cat and a dog", "animal": "cat", "at": -1, "some": [3, 1], "pairs": [[3, 1], [2, 2]], "side": "clean"},
         {"prompt": "the dog", "animal": "dog", "at": 0, "some": [2, 0], "pairs": [[1, 0]], "side": "corrupt"},
         {"prompt": "cat ab", "animal": ["cat"], "at": {"clean": 1, "corrupt": 0}, "some": [], "pairs": [], "side": "clean"}]


@pytest.fixture(scope="module")
def lines(folder):
    """the lines above as lines.jsonl, and all that they give as all.h5"""
    (folder / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    done = weir(folder, "dump", "-m", "letters", "-f", "lines.jsonl", "--hooks", "*", "-o", "all.h5", "--force")
    assert done.returncode == 0, done.stderr.decode()
    return folder


def read(folder, name, point):
    """-> {(layer, prompt, position): value of the row, [unit, ...] or [values]} of what is stored, and the units of each layer"""
    rows = {}
    with h5py.File(folder / name) as file:
        data, positions = file[f"activations/{point}"], file["tokens/position"][:]
        layers = data.attrs["layers"]
        for layer in map(int, np.atleast_1d(layers)):
            for prompt in range(positions.shape[0]):
                for row, position in enumerate(positions[prompt]):
                    if position >= 0:
                        value = data[layer, prompt, :, row] if point == "pattern" else data[layer, prompt, row]
                        if not np.isnan(value).all():
                            rows[layer, prompt, int(position)] = value
    return rows


def lengths(folder):
    with h5py.File(folder / "all.h5") as file:
        return [int(n) for n in file["prompts/length"][:]]


def every(folder, layers=range(3), prompts=range(3), positions=lambda p, n: range(n)):
    return {(layer, p, at) for layer in layers for p in prompts for at in positions(p, lengths(folder)[p])}


# selection -> (what stays: layer, prompt, position; and the heads of each layer or None for all)
CASES = {
    "z,-z:1": (lambda f: every(f, layers=[0, 2]), None),
    "z,-z:0:2,z:0": (lambda f: every(f, layers=[0, 2]), None),
    "z,-z:1.2": (lambda f: every(f), {1: [0, 1, 3]}),
    "z,-z:1.0+3,z:1.3": (lambda f: every(f), {1: [1, 2, 3]}),
    "z,-z@0": (lambda f: every(f, positions=lambda p, n: range(1, n)), None),
    "z@0+2,-z:2.1@0+2": (lambda f: every(f, positions=lambda p, n: [0, 2]), {2: [0, 2, 3]}),
    "z@at": (lambda f: {(layer, p, at) for layer in range(3) for p, at in enumerate([lengths(f)[0] - 1, 0, 1])}, None),
    "z@some#corrupt": (lambda f: every(f, prompts=[1], positions=lambda p, n: [0, 2]), None),
    "z@some[-1]#:2": (lambda f: {(layer, p, at) for layer in range(3) for p, at in enumerate([1, 0])}, None),
    "z#1": (lambda f: every(f, prompts=[1]), None),
    "z#clean": (lambda f: every(f, prompts=[0, 2]), None),
    "z,-z#0": (lambda f: every(f, prompts=[1, 2]), None),
    "z:0.1#0,z:0.3@0#1:": (lambda f: every(f, [0], [0]) | {(0, 1, 0), (0, 2, 0)}, {0: [1, 3]}),
    "pattern,-pattern:1:.0": (lambda f: every(f), {1: [1, 2, 3], 2: [1, 2, 3]}),
}


@pytest.mark.parametrize("selection", CASES)
def test_dump_stores_what_a_selection_names(lines, selection):
    done = weir(lines, "dump", "-m", "letters", "-f", "lines.jsonl", "--hooks", selection, "-o", "some.h5", "--force")
    assert done.returncode == 0, done.stderr.decode()
    kept, heads = CASES[selection]
    point = selection[:selection.index(":") if selection[1] == ":" else 1] if selection[0] == "z" else "pattern"
    got, whole = read(lines, "some.h5", point), read(lines, "all.h5", point)
    assert set(got) == kept(lines)
    for at, value in got.items():
        for head in range(4):
            if heads and at[0] in heads and head not in heads[at[0]]:
                assert np.isnan(value[head]).all()
            else:
                np.testing.assert_array_equal(value[head], whole[at][head])
    assert weir(lines, "validate", "some.h5").returncode == 0


def test_a_text_is_all_of_its_tokens(lines):
    done = weir(lines, "dump", "-m", "letters", "-f", "lines.jsonl", "--hooks", "z", "--positions", "animal", "-o", "some.h5", "--force")
    assert done.returncode == 0, done.stderr.decode()
    with h5py.File(lines / "some.h5") as file:
        tokens = [[file["tokens/text"][p, at].decode() for at in file["tokens/position"][p] if at >= 0] for p in range(3)]
    assert ["".join(text) for text in tokens] == [" cat", "dog", "cat"]


REFUSED = {
    "z,-q": (USAGE, "weir: '-q' takes away what no term before it names, as z,-z:9.9 would\n"),
    "z,-z": (USAGE, "weir: '-z' takes away all that is left\n"),
    "z,-z:1.2@0": (USAGE, "weir: '-z:1.2@0': what the selection names with it is no set of heads or neurons at a set of positions, and "
                          "a file stores only such sets: name the parts one by one\n"),
    "z,-z:1.2#0": (USAGE, "weir: '-z:1.2#0': what the selection names with it is no set of heads or neurons at a set of positions, and "
                          "a file stores only such sets: name the parts one by one\n"),
    "pattern@-1/0": (USAGE, "weir: 'pattern@-1/0': a file stores all keys of a query: omit the / and what follows it\n"),
    "pattern@pairs": (USAGE, "weir: prompt 0: pattern@pairs: pairs of query and key: a file stores all keys of a query\n"),
    "z@pairs": (USAGE, "weir: prompt 0: z@pairs: pairs of query and key: only pattern and attn_scores have keys\n"),
    "z@some[2]": (USAGE, "weir: prompt 0: z@some[2]: the field 'some': number 2 is out of range; it goes from 0 to 1\n"),
    "z@nothing": (USAGE, "weir: prompt 0: z@nothing: the prompt has no field 'nothing'; it has animal, at, some, pairs, side\n"),
    "z@prompt": (USAGE, "weir: prompt 0: z@prompt: the prompt has no field 'prompt'; it has animal, at, some, pairs, side\n"),
    "z@side": (INPUT, "weir: prompt 0: z@side: the field 'side': 'clean' does not occur in the prompt\n"),
    "z@new": (USAGE, "weir: prompt 0: z@new: 'new' is what was generated, and nothing is generated here: name positions of the prompt\n"),
    "z#3": (USAGE, "weir: z#3: prompt 3 is out of range; it goes from 0 to 2\n"),
    "z#other": (USAGE, "weir: z#other: no prompt is of side other; there are clean, corrupt\n"),
    "k:1.h2": (USAGE, "weir: 'k:1.h2': a file stores key-value heads, not what each query head reads: omit the h\n"),
    "z@some": (USAGE, "weir: no position of prompt 2 (6 tokens) is selected\n"),
}


@pytest.mark.parametrize("selection", REFUSED)
def test_dump_refuses_what_a_file_cannot_hold(lines, selection):
    done = weir(lines, "dump", "-m", "letters", "-f", "lines.jsonl", "--hooks", selection, "-o", "refused.h5")
    assert (done.returncode, done.stderr.decode()) == REFUSED[selection]
    assert not (lines / "refused.h5").exists()


# ---- what is stored, shown and exported ----

def shown(folder, selection, *options):
    """-> {(layer, prompt, position, head, key): value} of a pattern, or {(layer, prompt, position, head): row} of z"""
    values = {}
    for value in ask(folder, "show", "all.h5", selection, *options)["values"]:
        data, (a, b, c) = np.array(value["data"], dtype=float), value["indices"]
        assert data.shape == (len(a), len(b), len(c))
        if value["short"] == "pattern":
            values |= {(value["layer"], value["prompt"], q, h, k): data[i, j, m]
                       for i, h in enumerate(a) for j, q in enumerate(b) for m, k in enumerate(c)}
        else:
            values |= {(value["layer"], value["prompt"], at, h): data[i, j] for i, at in enumerate(a) for j, h in enumerate(b)}
    return values


def z(layers=range(3), prompts=(0,), positions=None, heads=range(4), without=()):
    return lambda n: {(layer, p, at, h) for layer in layers for p in prompts for at in (positions(p) if positions else range(n[p]))
                      for h in heads} - set(without)


def pattern(layers, prompts, heads, queries, keys):
    return lambda n: {(layer, p, q, h, k) for layer in layers for p in prompts for h in heads for q in queries(p, n[p]) for k in keys(p, n[p])}


SHOWN = {
    "z,-z:1": z([0, 2]),
    "z,-z:1.2+3": lambda n: z([0, 2])(n) | z([1], heads=[0, 1])(n),
    "z:0,-z@1:3": z([0], positions=lambda p: [0, *range(3, 12)]),
    "z:0@at#:": z([0], range(3), lambda p: [[11], [0], [1]][p]),
    "z:0@some[0]#0+1": z([0], [0, 1], lambda p: [[3], [2]][p]),
    "z:1.2#corrupt": z([1], [1], heads=[2]),
    "z:1#clean,-z#2": z([1], [0]),
    "z:1#clean,-z:1.3#2": lambda n: z([1], [0])(n) | z([1], [2], heads=[0, 1, 2])(n),
    "pattern:1.2@-1/0": pattern([1], [0], [2], lambda p, n: [n - 1], lambda p, n: [0]),
    "pattern:1@2/some#0:2": pattern([1], [0, 1], range(4), lambda p, n: [2], lambda p, n: [[1, 3], [0, 2]][p]),
    "pattern:0.1,-pattern/1:3": pattern([0], [0], [1], lambda p, n: range(n), lambda p, n: [0, *range(3, n)]),
    "pattern:0.1,-pattern@at/:": pattern([0], [0], [1], lambda p, n: range(n - 1), lambda p, n: range(n)),
}


@pytest.mark.parametrize("selection", SHOWN)
def test_show_prints_what_a_selection_names(lines, selection):
    n = lengths(lines)
    assert n[0] == 12
    got = shown(lines, selection)
    assert set(got) == SHOWN[selection](n)
    with h5py.File(lines / "all.h5") as file:
        for (layer, prompt, at, head, *key), value in got.items():
            whole = file["activations/pattern"][layer, prompt, head, at, key[0]] if key else file["activations/z"][layer, prompt, at, head]
            np.testing.assert_allclose(value, whole, rtol=1e-6, atol=1e-7)


def test_prompts_are_chosen_by_the_selection_or_by_prompt_and_not_otherwise_by_both(lines):
    one = shown(lines, "z:0#1")
    assert {at[1] for at in one} == {1} and one.keys() == shown(lines, "z:0", "--prompt", "1").keys() == shown(lines, "z:0#1", "--prompt", "1").keys()
    assert shown(lines, "z:0#:").keys() == shown(lines, "z:0", "--prompt", "all").keys() == shown(lines, "z:0#:", "--prompt", "all").keys()
    for prompt in "0", "all":
        done = weir(lines, "show", "all.h5", "z:0#1", "--prompt", prompt)
        assert done.stderr.decode() == "weir: --prompt: 'z:0#1' names its prompts itself, and others: omit one of the two\n"


NOT_SHOWN = {
    "z:0,-z:0.1@2": "'z:0': what is left of it is no set of heads or neurons at a set of positions: name the parts one by one",
    "pattern:0.0@pairs": "prompt 0: pattern:0.0@pairs: pairs of query and key are no table: name queries and keys, as in @5/1",
    "z:1,-z:1": "'z:1': the terms after it take all of it away",
    "z:1,-z#0": "'z:1': the terms after it take all of it away",
    "logits,-logits": "'logits': the terms after it take all of it away",
    "z,-q": "'-q' takes away what no term before it names, as z,-z:9.9 would",
    "z[0],-z:1": "'-z:1': nothing can be taken away from an index in brackets",
    "k:0.h1": "'k:0.h1': a file stores key-value heads: omit the h",
    "z:0@12": "prompt 0: z:0@12: position 12 is out of range; it goes from 0 to 11",
    "pattern:0@0/12": "prompt 0: pattern:0@0/12: key 12 is out of range; it goes from 0 to 11",
    "z:0@other": "prompt 0: z:0@other: the prompt has no field 'other'; it has animal, at, some, pairs, side",
    "z:0@new": "prompt 0: z:0@new: 'new' is what was generated, and nothing is generated here: name positions of the prompt",
    "z#3": "z#3: prompt 3 is out of range; it goes from 0 to 2",
    "z#other": "z#other: no prompt is of side other; there are clean, corrupt",
    "z:0@some#2": "'z:0@some#2': no values of z are stored there for prompt 2",
}


@pytest.mark.parametrize("selection", NOT_SHOWN)
def test_show_names_what_cannot_be_shown(lines, selection):
    done = weir(lines, "show", "all.h5", selection)
    assert done.returncode in (USAGE, INPUT) and done.stderr.decode() == f"weir: {NOT_SHOWN[selection]}\n" and not done.stdout


def test_export_writes_what_a_selection_names(lines):
    assert weir(lines, "export", "all.h5", "z,-z:.1+3", "-o", "x.npy", "--force").returncode == 0
    assert weir(lines, "export", "all.h5", "pattern:1@-1/some#0:2", "-o", "p.npz", "--force").returncode == 0
    with h5py.File(lines / "all.h5") as file:
        np.testing.assert_array_equal(np.load(lines / "x.npy"), file["activations/z"][:, 0, :12][:, :, [0, 2]])
        got = np.load(lines / "p.npz")
        assert got["pattern"].shape == (2, 4, 2) and got["positions"].tolist() == [11, lengths(lines)[1] - 1]
        for prompt, keys in enumerate(([1, 3], [0, 2])):
            np.testing.assert_array_equal(got["pattern"][prompt], file["activations/pattern"][1, prompt, :, lengths(lines)[prompt] - 1][:, keys])
    done = weir(lines, "export", "all.h5", "z,-z:0.1", "-o", "x.npy", "--force")
    assert done.stderr.decode() == ("weir: 'z': what is taken away from it differs by layer, and an array has one shape: name the layers "
                                    "one by one\n")
    assert weir(lines, "export", "all.h5", "z,-z:0.1", "-o", "x.csv", "--force").returncode == 0
    rows = {tuple(line.split(",")[1:3] + [line.split(",")[5]]) for line in (lines / "x.csv").read_text().splitlines()[1:]}
    assert rows == {(str(layer), "0", str(head)) for layer in range(3) for head in range(4)} - {("0", "0", "1")}


def test_next_takes_positions_by_field(lines):
    weir(lines, "dump", "-m", "letters", "-f", "lines.jsonl", "--hooks", "z", "--next", "2", "-o", "next.h5", "--force")
    got = ask(lines, "next", "next.h5", "--positions", "at")["prompts"]
    assert [[row["position"] for row in prompt["positions"]] for prompt in got] == [[11], [0], [1]]
    for positions, says in (("other", "prompt 0: the prompt has no field 'other'; it has animal, at, some, pairs, side"),
                            ("pairs", "prompt 0: --positions: pairs of query and key are no positions"),
                            ("12", "prompt 0: position 12 is out of range; it goes from 0 to 11")):
        assert weir(lines, "next", "next.h5", "--positions", positions).stderr.decode() == f"weir: {says}\n"


def test_a_page_takes_neurons_without_some_and_positions_by_field(lines):
    done = weir(lines, "view", "all.h5", "--neurons", "mlp_post:0.1:5@at,-mlp_post:0.2", "-o", "v.html", "--force")
    assert done.returncode == 0 and b", 3 neurons;" in done.stderr, done.stderr
    done = weir(lines, "view", "all.h5", "--neurons", "mlp_post:0.1#1", "-o", "v.html", "--force")
    assert done.stderr.decode() == ("weir: --neurons: 'mlp_post:0.1#1': a page has the same neurons for all prompts, which --prompt chooses: "
                                    "omit the #\n")


# ---- prompts of which nothing is stored ----

@pytest.fixture(scope="module")
def some(lines):
    """of the second prompt all that the whole file has, of the others nothing"""
    done = weir(lines, "dump", "-m", "letters", "-f", "lines.jsonl", "--hooks", "pattern#1,z#1,mlp_post#1,resid_post#1", "--next", "2",
                "-o", "one.h5", "--force")
    assert done.returncode == 0, done.stderr.decode()
    return lines


@pytest.mark.parametrize("command", [("validate", "one.h5"), ("ls", "one.h5"), ("stats", "one.h5"), ("diff", "one.h5", "one.h5"),
                                     ("show", "one.h5", "z", "--prompt", "all"), ("show", "one.h5", "z", "--prompt", "1"), ("next", "one.h5"),
                                     ("heads", "one.h5"), ("attn", "one.h5", "--prompt", "1", "--layer", "0", "--head", "0"),
                                     ("view", "one.h5", "-o", "one.html", "--force"),
                                     ("export", "one.h5", "z", "--prompt", "all", "-o", "one.npz", "--force"),
                                     ("export", "one.h5", "pattern", "--prompt", "all", "-o", "one.csv", "--force")])
def test_commands_pass_over_prompts_without_rows(some, command):
    done = weir(some, *command)
    assert done.returncode == 0 and b"weir: " not in done.stderr, done.stderr.decode()


def test_what_is_asked_of_a_prompt_without_rows_is_said_not_to_be_there(some):
    for command, says in ((("show", "one.h5", "z"), "'z': no values of z are stored there for prompt 0"),
                          (("next", "one.h5", "--prompt", "0"), "prompt 0 has no stored positions"),
                          (("attn", "one.h5"), "layer 0 head 0 is not stored for prompt 0"),
                          (("view", "one.h5", "-o", "x.html", "--prompt", "0"), "the prompts have no stored positions for a page to show")):
        done = weir(some, *command)
        assert done.returncode in (USAGE, INPUT) and done.stderr.decode() == f"weir: {says}\n"


@pytest.mark.parametrize("command, what", [(("view", "one.h5", "-o", "some.html", "--force"), "the page is"), (("heads", "one.h5"), "scores are")])
def test_prompts_without_rows_that_were_named_are_noted(some, command, what):
    for prompts, says in (("0:2", f"prompt 0 has no stored positions: {what} without it"),
                          (":", f"2 prompts have no stored positions, prompt 0 first: {what} without them")):
        done = weir(some, *command, "--prompt", prompts)
        assert done.returncode == 0 and done.stderr.decode().startswith(f"weir: note: {says}\n"), done


def test_losses_are_those_of_all_prompts(some):
    weir(some, "dump", "-m", "letters", "-f", "lines.jsonl", "--hooks", "z", "--next", "2", "-o", "next.h5", "--force")
    with h5py.File(some / "one.h5") as one, h5py.File(some / "next.h5") as whole:
        np.testing.assert_array_equal(one["prompts/loss"], whole["prompts/loss"])
        rows = (one["tokens/position"][1] >= 0).sum()
        np.testing.assert_array_equal(one["next/id"][1, :rows], whole["next/id"][1, :rows])
