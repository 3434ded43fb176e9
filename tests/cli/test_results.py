"""Results in a file: shown, exported and drawn as they are stored; what is wrong with one is named."""
import csv
import json
import shutil

import h5py
import numpy as np
import pytest

from program import FIXTURES, INPUT, ROOT, USAGE, ask, weir

PAIR = ["--pairs", "pair.jsonl", "--metric", "logit(3)"]


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    """the file of weir patch at z and resid_pre, two metrics"""
    folder = tmp_path_factory.mktemp("results")
    (folder / "pair.jsonl").write_text('{"clean": [5, 7, 9, 11], "corrupt": [5, 8, 9, 11]}\n')
    done = weir(folder, "patch", "-m", FIXTURES / "gpt2", *PAIR, "--metric", "prob(4)", "--at", "z,resid_pre", "-o", "g.h5")
    assert done.returncode == 0, done.stderr.decode()
    return folder / "g.h5"


def put(name, values, like=None, **attrs):
    """-> what replaces a dataset by one of other values, with the labels and attributes that it had"""
    def change(file):
        old = file[name]
        kept, labels = {k: v for k, v in old.attrs.items() if not k.isupper()} | attrs, [d.label for d in old.dims]
        values_of = values(old[...]) if callable(values) else values
        del file[name]
        new = file.create_dataset(name, data=values_of)
        new.attrs.update(kept)
        for dim, label in zip(new.dims, like or labels):
            dim.label = label
            dim.attach_scale(file[label])
    return change


def set_at(name, at, value):
    def change(file):
        file[name][at] = value
    return change


def set_attribute(name, key, value):
    def change(file):
        file[name].attrs[key] = value
    return change


Z = "results/patch/z"
DAMAGES = [
    (set_at(f"{Z}_stderr", (0, 1, 2), -0.5), "/results/patch/z_stderr: element 6 is -0.5"),
    (set_at(f"{Z}_pairs", (2, 3), 2), "/results/patch/z_pairs: element 11 is 2"),
    (put(Z, lambda old: old.astype("f8")), "must hold float32"),
    (put(Z, lambda old: old.swapaxes(1, 2)), "is not labelled as a dimension of the file, or is not as long"),
    (put(Z, lambda old: old[0], like=["layer", "head"]), None),                        # one metric alone: no axis of metrics
    (set_attribute(Z, "metrics", '["logit(3)"]'), "another number of texts than the axis"),
    (put(Z, lambda old: old.swapaxes(0, 1), like=["layer", "metric", "head"]), "another number of texts than the axis"),
    (set_attribute(Z, "metrics", '["logit(3)", 4]'), "not a list of texts"),
    (set_attribute(Z, "metrics", "[logit(3)]"), "not JSON"),
    (set_attribute(Z, "metrics", "[]"), "another number of texts"),
    (set_attribute(Z, "direction", 3), "the attribute direction must be one string"),
    (set_attribute(Z, "baseline_clean", np.zeros(3)), "another number of baselines than of metrics"),
    (set_attribute(Z, "baseline_corrupt", "0, 1"), "the attribute baseline_corrupt must be a list of numbers"),
]


@pytest.mark.parametrize("damage, words", DAMAGES, ids=[words or "fine" for _, words in DAMAGES])
def test_what_is_wrong_with_a_grid_is_named(grids, tmp_path, damage, words):
    shutil.copy(grids, tmp_path / "g.h5")
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        damage(file)
    done = weir(tmp_path, "validate", "g.h5")
    if words is None:
        assert done.returncode == 0, done.stdout.decode()
        return
    assert done.returncode == 1 and words in done.stdout.decode(), done.stdout.decode()
    listed = weir(tmp_path, "ls", "g.h5")
    assert listed.returncode in (0, INPUT) and len(listed.stderr.splitlines()) == (listed.returncode == INPUT)


def test_what_is_of_another_analysis_is_not_judged(grids, tmp_path):
    shutil.copy(grids, tmp_path / "g.h5")
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        file["results/mine"] = np.arange(3)
        del file[Z].attrs["metrics"]
        file["results/patch/v"] = np.full((2, 2), -1.0)
    assert weir(tmp_path, "validate", "g.h5").returncode == 0
    assert "patch/z " not in weir(tmp_path, "ls", "g.h5").stdout.decode()
    assert json.loads(weir(tmp_path, "ls", "g.h5", "--json").stdout)["grids"][0]["axes"] == ["metric", "layer", "pos"]


# ---- metrics ----

PROMPTS = ['{"ids": [5, 7, 9, 11, 3], "answer": 17}', '{"ids": [4, 8, 2], "answer": [3, 6]}', '{"ids": [1, 2, 3, 4], "answer": 9}']
METRICS = ["logprob(answer) - logit(5)", "2*rank(answer) - 1", "prob(answer) + entropy", "z:1.2@-1 - 0.5"]
UNITS = ["nats", "", "", ""]


@pytest.fixture
def prompts(tmp_path):
    (tmp_path / "p.jsonl").write_text("\n".join(PROMPTS) + "\n")
    return ["-m", FIXTURES / "gpt2", "-f", "p.jsonl", *(f"--metric={metric}" for metric in METRICS)]


def stored(path, name):
    with h5py.File(path) as file:
        result = file[f"results/{name}"]
        return [d.label for d in result.dims], dict(result.attrs), result[...]


def test_a_file_has_the_metrics_that_the_run_prints(tmp_path, prompts):
    printed = ask(tmp_path, "run", *prompts, "-o", "m.h5", "--hooks", "z:0")["prompts"]
    assert weir(tmp_path, "validate", "m.h5").returncode == 0
    dims, attrs, values = stored(tmp_path / "m.h5", "metrics")
    assert dims == ["metric", "prompt"] and values.shape == (4, 3)
    assert json.loads(attrs["metrics"]) == METRICS and json.loads(attrs["units"]) == UNITS
    want = [[prompt["metrics"][m]["value"] for prompt in printed] for m in range(4)]
    np.testing.assert_allclose(values, want, rtol=1e-6)
    shown = ask(tmp_path, "show", "m.h5", "metrics")["results"][0]
    assert (shown["axes"], shown["metrics"], shown["units"]) == (dims, METRICS, UNITS)
    np.testing.assert_array_equal(np.array(shown["data"], "f4"), values)
    listed = ask(tmp_path, "ls", "m.h5")["grids"]
    assert listed == [{"name": "metrics", "axes": dims, "shape": [4, 3], "metrics": METRICS}]
    again = ask(tmp_path, "next", "m.h5", "--positions", "-1")["prompts"]
    for before, after in zip(printed, again, strict=True):
        assert [one["metric"] for one in after["metrics"]] == METRICS
        np.testing.assert_allclose([one["value"] for one in after["metrics"]], [one["value"] for one in before["metrics"]], rtol=1e-6)
    table = weir(tmp_path, "show", "m.h5", "metrics").stdout.decode().splitlines()
    assert table[0] == "metrics: [metric 4, prompt 3]" and [line.split()[0] for line in table[2:]] == ["0", "1", "2"]


def test_a_dump_stores_the_metrics_of_a_run_with_its_edits(tmp_path, prompts):
    edits = ["--ablate", "z:0.1", "--edit", "resid_post:1 *= 1.5"]
    assert weir(tmp_path, "run", *prompts, *edits, "-o", "run.h5").returncode == 0
    done = weir(tmp_path, "dump", *prompts, *edits, "--hooks", "z:0.1@0", "-o", "dump.h5")
    assert done.returncode == 0, done.stderr.decode()
    for of_run, of_dump in zip(stored(tmp_path / "run.h5", "metrics"), stored(tmp_path / "dump.h5", "metrics"), strict=True):
        np.testing.assert_array_equal(of_run, of_dump) if isinstance(of_run, np.ndarray) else None
    assert (stored(tmp_path / "run.h5", "metrics")[2] != 0).all()


def test_against_base_a_file_has_what_is_without_edits_and_how_far_that_is(tmp_path, prompts):
    edits = ["--ablate", "z:0.1+3", "--against", "base"]
    printed = ask(tmp_path, "run", *prompts, *edits, "--positions", "-2:", "-o", "m.h5")["prompts"]
    assert weir(tmp_path, "run", *prompts, "-o", "base.h5").returncode == 0
    assert weir(tmp_path, "validate", "m.h5").returncode == 0
    dims, attrs, base = stored(tmp_path / "m.h5", "metrics_base")
    assert dims == ["metric", "prompt"] and json.loads(attrs["metrics"]) == METRICS
    np.testing.assert_array_equal(base, stored(tmp_path / "base.h5", "metrics")[2])
    assert (base != stored(tmp_path / "m.h5", "metrics")[2])[[0, 2, 3]].all()                # ranks may stay
    dims, attrs, kl = stored(tmp_path / "m.h5", "metrics_kl")
    assert (dims, json.loads(attrs["metrics"]), json.loads(attrs["units"])) == (["prompt"], ["kl(#base)@-2:"], ["nats"])
    np.testing.assert_allclose(kl, [prompt["base"]["kl"] for prompt in printed], rtol=1e-6)
    assert (kl > 0).all()


def test_a_run_without_metrics_stores_none(tmp_path, prompts):
    assert weir(tmp_path, "run", *prompts[:4], "-o", "m.h5").returncode == 0
    with h5py.File(tmp_path / "m.h5") as file:
        assert "results" not in file and "metric" not in file
    done = weir(tmp_path, "show", "m.h5", "metrics")
    assert done.returncode == USAGE and b"the file has no results" in done.stderr
    assert weir(tmp_path, "run", *prompts[:4], "--ablate", "z:0", "--against", "base", "-o", "k.h5").returncode == 0
    with h5py.File(tmp_path / "k.h5") as file:
        assert list(file["results"]) == ["metrics_kl"]


def test_a_wrong_metric_is_named_and_leaves_no_file(tmp_path, prompts):
    for command in "run", "dump":
        for metric, words, code in ("logit(answer", b"weir: --metric 'logit(answer'", USAGE), ("logit(nobody)", b"nobody", INPUT):
            done = weir(tmp_path, command, *prompts[:4], "--metric", metric, "-o", "m.h5")
            assert done.returncode == code and words in done.stderr, done.stderr
            assert [path.name for path in tmp_path.iterdir()] == ["p.jsonl"]


def test_metrics_of_other_axes_than_the_layouts_are_named(tmp_path, prompts):
    assert weir(tmp_path, "dump", *prompts, "--hooks", "z:0@0", "-o", "m.h5").returncode == 0
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        put("results/metrics", lambda old: old.T, like=["prompt", "metric"])(file)
    done = weir(tmp_path, "validate", "m.h5")
    assert done.returncode == 1 and b"/results/metrics: axis 0 must be labelled metric, is prompt" in done.stdout
    shown = weir(tmp_path, "show", "m.h5", "metrics")
    assert shown.returncode == INPUT and b"has other axes than the layout gives it" in shown.stderr


# ---- show and export ----

GRIDS = {"patch/resid_pre": ["metric", "layer", "pos"], "patch/z": ["metric", "layer", "head"]}


def test_what_is_shown_is_what_is_stored(grids, tmp_path):
    for name, axes in GRIDS.items():
        for kind in "", "_stderr", "_normalised", "_pairs":
            shown, = ask(tmp_path, "show", grids, name + kind)["results"]
            dims, attrs, values = stored(grids, name + kind)
            assert shown["axes"] == dims == axes[kind == "_pairs":] and shown["shape"] == list(values.shape)
            np.testing.assert_array_equal(np.array(shown["data"], float).astype("f4"), values)       # null is NaN
            assert [shown["baseline_clean"], shown["baseline_corrupt"]] == [list(attrs["baseline_clean"]), list(attrs["baseline_corrupt"])]
            assert (shown["metrics"], shown["by"], shown["pairs"], shown["direction"]) == (["logit(3)", "prob(4)"], attrs["by"], 1, "denoise")
    assert [one["name"] for one in ask(tmp_path, "show", grids, "patch_stderr")["results"]] == ["patch/resid_pre_stderr", "patch/z_stderr"]
    text = weir(tmp_path, "show", grids, "patch/z").stdout.decode()
    numbers = [[float(word) for word in line.split()[1:]] for line in text.splitlines() if line.split()[0].isdigit()]
    np.testing.assert_allclose(np.array(numbers).reshape(2, 3, 4), stored(grids, "patch/z")[2], atol=6e-5)


def test_exports_are_what_is_stored(grids, tmp_path):
    assert weir(tmp_path, "export", grids, "patch/z_normalised", "-o", "z.npy").returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), stored(grids, "patch/z_normalised")[2])
    assert weir(tmp_path, "export", grids, "patch", "-o", "all.npz").returncode == 0
    with np.load(tmp_path / "all.npz") as arrays:
        assert sorted(arrays) == ["resid_pre", "z"]
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], stored(grids, f"patch/{name}")[2])
    assert weir(tmp_path, "export", grids, "patch", "-o", "all.csv").returncode == 0
    seen = {name: np.full(stored(grids, name)[2].shape, np.nan, "f4") for name in GRIDS}
    tokens = {}
    for row in csv.DictReader((tmp_path / "all.csv").open()):
        place = [["logit(3)", "prob(4)"].index(row["metric"]), *(int(row[axis]) for axis in GRIDS[row["result"]][1:])]
        assert all((row[axis] == "") == (axis not in GRIDS[row["result"]]) for axis in ("pos", "head"))
        seen[row["result"]][tuple(place)] = row["value"]
        if row["pos"]:
            tokens[int(row["pos"])] = row["token"]
    for name, values in seen.items():
        np.testing.assert_array_equal(values, stored(grids, name)[2])
    with h5py.File(grids) as file:
        assert tokens == dict(enumerate(token.decode() for token in file["tokens/text"][0]))


@pytest.mark.parametrize("args, words", [
    (["show", "patch/zz"], "patch/zz: the file has no such result; it has patch/resid_pre, patch/z"),
    (["show", "patch/z", "--prompt", "0"], "--prompt selects activations"),
    (["show", "z", "--png", "p.png"], "--png and --svg draw grids of patches"),
    (["show", "patch/z_pairs", "--svg", "p.svg"], "draw grids of patches with their baselines"),
    (["show", "patch/z", "--json", "--svg", "p.svg"], "--json cannot be combined"),
    (["show", "patch/z", "--scheme", "dark"], "--scheme needs --png or --svg"),
    (["show", "patch", "--svg", "p.svg"], "a picture has one scale, and metrics have their own"),
    (["export", "patch", "-o", "p.npy"], "a .npy file has one array, and these are 2"),
    (["export", "patch/z", "--dtype", "keep", "-o", "p.npy"], "--dtype is for activations"),
])
def test_what_cannot_be_is_refused_in_a_line(grids, tmp_path, args, words):
    command, *rest = args
    done = weir(tmp_path, command, grids, *rest)
    assert done.returncode == USAGE and words in done.stderr.decode() and len(done.stderr.splitlines()) == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_statistics_of_results_are_those_of_their_cells(grids, tmp_path):
    wanted = []
    for name in GRIDS:
        for kind in "", "_stderr", "_normalised", "_pairs":
            values = stored(grids, name + kind)[2].astype("f8")
            for m in range(1 if kind == "_pairs" else 2):
                wanted.append((name + kind, None if kind == "_pairs" else ["logit(3)", "prob(4)"][m], values if kind == "_pairs" else values[m]))
    got = ask(tmp_path, "stats", grids)["results"]
    assert [(one["name"], one.get("metric")) for one in got] == [(name, metric) for name, metric, _ in wanted]
    for one, (_, _, values) in zip(got, wanted, strict=True):
        there = values[~np.isnan(values)]
        assert (one["count"], one["nan"]) == (there.size, np.isnan(values).sum())
        if there.size:
            np.testing.assert_allclose([one[word] for word in ("mean", "std", "min", "max")], [there.mean(), there.std(), there.min(), there.max()], rtol=1e-9, atol=1e-12)
        else:
            assert one["mean"] is one["min"] is None
    lines = weir(tmp_path, "stats", grids).stdout.decode().splitlines()
    assert lines[0].split() == ["results", "metric", "count", "mean", "std", "min", "max", "none"] and len(lines) == len(wanted) + 1


def test_a_path_is_named_with_its_grid(tmp_path):
    done = weir(tmp_path, "patch", "-m", ROOT / "models/rill", "--pairs", ROOT / "models/repeat.jsonl", "--at", "z:0", "--to", "k:1",
                "--metric", "logprob(answer)", "-o", "g.h5")
    assert done.returncode == 0, done.stderr.decode()
    assert weir(tmp_path, "show", "g.h5", "patch/z").stdout.startswith(b"patch/z by head, denoise, path to k:1 (frozen), 1 pair: [metric 1, layer 4, head 5]\n")
    one, = ask(tmp_path, "show", "g.h5", "patch/z")["results"]
    assert (one["path"], one["to"]) == ("frozen", "k:1")


# ---- pictures of stored grids ----

@pytest.mark.parametrize("args, show, name", [
    (["--at", "resid_pre,z,embed@*"], "normalised", "patch_normalised"),
    (["--at", "z", "--by", "head-position", "--scheme", "dark"], "normalised", "patch/z_normalised"),
    (["--at", "resid_pre:1:", "--direction", "noise"], "raw", "patch/resid_pre"),
    (["--at", "attn_out"], "stderr", "patch/attn_out_stderr"),
    (["--at", "z:0", "--to", "k:1"], "normalised", "patch_normalised"),
])
@pytest.mark.parametrize("pairs", ["repeat.jsonl", "repeats.jsonl"])
def test_a_stored_grid_is_drawn_as_the_run_drew_it(tmp_path, args, show, name, pairs):
    done = weir(tmp_path, "patch", "-m", ROOT / "models/rill", "--pairs", ROOT / "models" / pairs, *args, "--metric", "logprob(answer)",
                "--show", show, "-o", "g.h5", "--png", "a.png", "--svg", "a.svg")
    assert done.returncode == 0, done.stderr.decode()
    scheme = args[args.index("--scheme"):][:2] if "--scheme" in args else []
    done = weir(tmp_path, "show", "g.h5", name, "--png", "b.png", "--svg", "b.svg", *scheme)
    assert done.returncode == 0 and done.stdout == b"", done.stderr.decode()
    for ending in "png", "svg":
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_rows_of_a_field_are_named_by_it_and_have_no_tokens(tmp_path):
    pair = {"clean": "Emma saw Harriet", "corrupt": "Emma saw the man", "answer": " and", "wrong": " the", "who": {"clean": [2, 3], "corrupt": [1, 2]}}
    done = weir(tmp_path, "patch", "--line", json.dumps(pair), "--at", "resid_pre:1@who", "-o", "g.h5", "--svg", "g.svg")
    assert done.returncode == 0, done.stderr
    assert "@who" in (tmp_path / "g.svg").read_text()
    assert ", @who " in weir(tmp_path, "show", "g.h5", "patch/resid_pre").stdout.decode()
    assert ", @who " in weir(tmp_path, "ls", "g.h5").stdout.decode()
    assert weir(tmp_path, "export", "g.h5", "patch/resid_pre", "-o", "g.csv").returncode == 0
    rows = list(csv.DictReader((tmp_path / "g.csv").read_text().splitlines()))
    assert len(rows) > 2 and {row["token"] for row in rows} == {""}
    assert weir(tmp_path, "view", "g.h5", "-o", "g.html").returncode == 0
    assert '"axes":["layer","@who"]' in (tmp_path / "g.html").read_text()


def test_metrics_with_quotes_are_one_column_of_csv(tmp_path):
    metric, pair = 'logit(" the") - logit(" and")', {"clean": "Emma saw Harriet", "corrupt": "Emma met Harriet"}
    lines = weir(tmp_path, "patch", "--line", json.dumps(pair), "--at", "resid_pre:1@0", "--metric", metric, "--csv").stdout.decode()
    assert [row["metric"] for row in csv.DictReader(lines.splitlines())] == [metric]
