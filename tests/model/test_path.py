"""weir patch --to against a reference in float64 and TransformerLens's direct paths (fixtures made by tests/oracle/paths.py), and
against passes with explicit edits."""
import csv
import io
import itertools
import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
WEIR = os.environ.get("WEIR", str(HERE.parents[1] / "build/cli/weir"))
MODELS = ["gpt2", "llama", "gemma2", "gpt_neox"]     # plain; grouped-query; norms after the branches; parallel branches


def run(*args):
    return subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True)


def paths(tmp_path, model, pairs, *args):
    """{(layer, unit or position): row} of the CSV"""
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    result = run("patch", "-m", HERE / "fixtures" / model, "--pairs", file, "--csv", *args)
    assert result.returncode == 0, result.stderr
    rows = csv.DictReader(io.StringIO(result.stdout))
    return {(int(row["layer"] or 0), int(row["unit"] or row["position"])): row for row in rows}


def cases(model):
    with h5py.File(HERE / f"fixtures/paths_{model}.h5") as file:
        return [(dict(data.attrs), data[...]) for data in file.values() if "to" in data.attrs]


def same_grid(rows, want, bound):
    """the means of the cells that exist, and that no others do"""
    exists = {index for index in np.ndindex(want.shape[:2]) if not np.isnan(want[index]).any()}
    assert set(rows) == exists
    got = np.array([float(rows[index]["value"]) for index in sorted(exists)])
    assert np.abs(got - [want[index].mean() for index in sorted(exists)]).max() < bound


@pytest.mark.parametrize("model", MODELS)
def test_paths_are_those_of_the_reference(tmp_path, model):
    with h5py.File(HERE / f"fixtures/paths_{model}.h5") as file:
        pairs = json.loads(file.attrs["pairs"])
    for case, want in cases(model):
        by = "head" if case["at"] == "z" else "position"
        rows = paths(tmp_path, model, pairs, "--at", case["at"], "--by", by, "--to", case["to"], "--path", case["path"],
                     *["--freeze-mlps"] * bool(case["freeze_mlps"]))
        same_grid(rows, want, 1e-4)


@pytest.mark.parametrize("model, component", [("gpt2", "q"), ("gpt2", "k"), ("gpt2", "v"), ("llama", "q")])
def test_direct_paths_are_those_of_transformer_lens(tmp_path, model, component):
    with h5py.File(HERE / f"fixtures/lens_paths_{model}.h5") as file:
        pairs, want = json.loads(file.attrs["pairs"]), file[component][...].astype(float)
    n_layers, n_heads = want.shape[:2]
    for layer, head in itertools.product(range(1, n_layers), range(n_heads)):
        rows = paths(tmp_path, model, pairs, "--at", "z", "--to", f"{component}_input:{layer}.{head}", "--path", "direct")
        same_grid(rows, want[:, :, layer, head], 1e-4)


FAMILIES = ["gpt2", "llama", "gemma2", "gpt_neox", "mixtral", "falcon_new", "gptj", "bloom", "olmo2", "cohere", "granite", "gpt_oss",
            "lens_shortformer", "phi3_longrope"]
PAIR = dict(clean=[5, 7, 9, 2, 5, 11, 60], corrupt=[5, 90, 9, 2, 31, 11, 60], answer=17, wrong=44)
HELD = "z#sent = [#corrupt]"
WHOLE_PASSES = {
    "heads held": (["z:0.1", "--to", "q:1"], [HELD, "z:0.1#sent = [#clean]", "q:1#out = [#sent]"]),
    "one position": (["z:0.1@4", "--by", "head-position", "--to", "k:1.0,z:-1.1"],
                     ["z#sent,-z:-1.1#sent = [#corrupt]", "z:0.1@4#sent = [#clean]", "k:1.0#out = [#sent]", "z:-1.1#out = [#sent]"]),
    "a query head's values": (["z:0.0", "--to", "v:1.h1"], [HELD, "z:0.0#sent = [#clean]", "v:1.h1#out = [#sent]"]),
    "MLPs held too": (["z:0.2", "--to", "resid_post:-1", "--freeze-mlps"],
                      [HELD, "mlp_out#sent = [#corrupt]", "z:0.2#sent = [#clean]", "resid_post:-1#out = [#sent]"]),
    "a key as the sender": (["k:1.0", "--to", "resid_post:-1"],
                            ["z#sent,-z:1.{group}#sent = [#corrupt]", "k:1.0#sent = [#clean]", "resid_post:-1#out = [#sent]"]),
    "the embedding": (["embed@1", "--to", "pattern:1,q:1.0@-1"],
                      [HELD, "embed@1#sent = [#clean]", "pattern:1#out = [#sent]", "q:1.0@-1#out = [#sent]"]),
    "a place in the stream": (["resid_pre:1@6", "--to", "logits"], [HELD, "resid_pre:1@6#sent = [#clean]", "logits#out = [#sent]"]),
    "by the stream alone": (["z:0.1", "--path", "direct", "--to", "resid_post:-1"],
                            ["z:0.1#sent = [#clean]", "resid_post:-1#out += [attn_out:0#sent]", "resid_post:-1#out -= [attn_out:0#corrupt]"]),
    "to one head by the stream": (["mlp_out:0@4", "--path", "direct", "--to", "k_input:1.0,v_input:1.0"],
                                  ["mlp_out:0@4#sent = [#clean]",
                                   "k_input:1.0#out += [mlp_out:0#sent]", "k_input:1.0#out -= [mlp_out:0#corrupt]",
                                   "v_input:1.0#out += [mlp_out:0#sent]", "v_input:1.0#out -= [mlp_out:0#corrupt]"]),
}


@pytest.mark.parametrize("case", WHOLE_PASSES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_cell_is_what_whole_passes_with_explicit_edits_give(tmp_path, family, case):
    options, edits = WHOLE_PASSES[case]
    model, file = HERE / "fixtures" / family, tmp_path / "sides.jsonl"
    file.write_text(json.dumps(dict(PAIR, sent=PAIR["corrupt"], out=PAIR["corrupt"])) + "\n")
    info = json.loads(run("info", model, "--json").stdout)
    edits = [edit.replace("{group}", f"0:{info['n_heads'] // info['n_kv_heads']}") for edit in edits]
    sides = [arg for side in ("clean", "corrupt", "sent", "out") for arg in ("--side", side)]
    result = run("run", "-m", model, "-f", file, *sides, "--metric", "logit(answer) - logit(wrong)", "--json",
                 *[arg for edit in edits for arg in ("--edit", edit)])
    assert result.returncode == 0, result.stderr
    corrupt, out = [json.loads(result.stdout)["prompts"][i]["metrics"][0]["value"] for i in (1, 3)]
    assert corrupt != out
    for threads in (1, 2, 5) if family in MODELS else (2,):
        (row,) = paths(tmp_path, family, [PAIR], "--at", *options, "--threads", threads).values()
        assert abs(float(row["value"]) - out) < 1e-5 * max(1, abs(out))


@pytest.mark.parametrize("family, args, words", [
    ("gpt2", ["--at", "z:2", "--to", "q:1"], "z:2: no receiver comes after it"),
    ("gpt2", ["--at", "z", "--to", "q:1", "--path", "direct"], "--to: q: a direct path ends where the stream is read: name q_input"),
    ("gpt2", ["--at", "z", "--to", "attn_out:1"], "--to: attn_out comes after z, which is held"),
    ("gpt2", ["--at", "z", "--to", "q:1#clean"], "--to: q:1#clean: receivers are in the prompt that runs"),
    ("gpt2", ["--at", "z", "--to", "q:1@subject"], "--to: prompt 0: q:1@subject: the prompt has no field 'subject'"),
    ("gpt2", ["--at", "z", "--to", "q:1.9"], "--to: q:1.9: unit 9 is out of range"),
    ("gpt2", ["--at", "unembed", "--to", "logits"], "unembed comes after all blocks"),
    ("gpt2", ["--at", "z", "--path", "direct"], "--path belongs to --to"),
    ("gpt2", ["--at", "z", "--freeze-mlps"], "--freeze-mlps belongs to --to"),
    ("gpt2", ["--at", "z", "--to", "q_input", "--freeze-mlps", "--path", "direct"], "--freeze-mlps belongs to --path frozen"),
    ("gptj", ["--at", "ln1_out", "--to", "q_input:1", "--path", "direct"], "ln1_out feeds attention and the MLP at once"),
    ("olmo2", ["--at", "z", "--to", "k:1.h1"], "k: the keys of all heads are normed together"),
    ("lens_shortformer", ["--at", "pos_embed", "--to", "q_input:1", "--path", "direct"], "pos_embed is not added to the stream"),
])
def test_what_is_no_path_is_refused(tmp_path, family, args, words):
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIR) + "\n")
    result = run("patch", "-m", HERE / "fixtures" / family, "--pairs", file, *args)
    assert result.returncode in (2, 4) and words in result.stderr and result.stdout == "", result.stderr


def test_cells_from_which_no_receiver_is_reached_are_empty(tmp_path):
    rows = paths(tmp_path, "gpt2", [PAIR], "--at", "z", "--by", "head-position", "--to", "q:1@:5")
    assert {(row["layer"], row["position"]) for row in rows.values()} <= {("0", str(i)) for i in range(5)} and rows
    parallel = paths(tmp_path, "gpt_neox", [PAIR], "--at", "z", "--to", "mlp_in:1")
    assert {layer for layer, _ in parallel} == {0}     # attention and MLP of a parallel block read the same stream
    assert {layer for layer, _ in paths(tmp_path, "gpt2", [PAIR], "--at", "z", "--to", "mlp_in:1")} == {0, 1}


def test_many_pairs_give_the_mean_of_each_alone(tmp_path):
    """more variants than go together in a pass"""
    rng = np.random.default_rng(3)
    pairs = []
    for _ in range(12):
        clean = rng.integers(0, 211, rng.integers(60, 90)).tolist()
        pairs.append(dict(clean=clean, corrupt=clean[:20] + rng.integers(0, 211, 3).tolist() + clean[23:], answer=4, wrong=9))
    for options in (["--to", "q:2.1,k:2.0"], ["--to", "mlp_in:1,resid_post:-1", "--path", "direct"]):
        together = paths(tmp_path, "gpt2", pairs, "--at", "z", *options)
        alone = [paths(tmp_path, "gpt2", [pair], "--at", "z", *options) for pair in pairs]
        for cell, row in together.items():
            values = np.array([float(one[cell]["value"]) for one in alone])
            assert float(row["value"]) == pytest.approx(values.mean(), abs=1e-5) and row["pairs"] == "12"
            assert float(row["stderr"]) == pytest.approx(values.std(ddof=1) / 12 ** 0.5, abs=1e-5)


def test_the_other_direction_is_that_with_the_sides_exchanged(tmp_path):
    turned = dict(PAIR, clean=PAIR["corrupt"], corrupt=PAIR["clean"])
    for options in (["--to", "q:2"], ["--to", "q_input:2", "--path", "direct"]):
        noised = paths(tmp_path, "llama", [PAIR], "--at", "z", *options, "--direction", "noise")
        denoised = paths(tmp_path, "llama", [turned], "--at", "z", *options)
        assert [row["value"] for row in noised.values()] == [row["value"] for row in denoised.values()]


def test_the_file_and_the_terminal_name_the_path(tmp_path):
    out, file = tmp_path / "g.h5", tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIR) + "\n")
    args = ["patch", "-m", HERE / "fixtures/gpt2", "--pairs", file, "--at", "z", "--to", "q:2.1", "-o", out]
    result = run(*args, "--freeze-mlps")
    assert result.stdout.startswith("z by head, denoise, path to q:2.1 (frozen with MLPs), normalised, 1 pair: "), result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines()[3:]] == ["0", "1"], "no head of layer 2 comes before"
    assert run("validate", out).returncode == 0
    with h5py.File(out) as grids:
        attrs = grids["results/patch/z"].attrs
        assert (attrs["path"], attrs["to"], attrs["edits"]) == ("frozen with MLPs", "q:2.1", "z:LAYER.HEAD#corrupt = [#clean]")
        assert np.isnan(grids["results/patch/z"][0, 2]).all() and np.isfinite(grids["results/patch/z"][0, :2]).all()
    assert run(*args, "--force", "--svg", tmp_path / "g.svg").returncode == 0
    assert "path to q:2.1 (frozen)" in (tmp_path / "g.svg").read_text()
    assert run("patch", "-m", HERE / "fixtures/gpt2", "--pairs", file, "--at", "z", "-o", out, "--force").returncode == 0
    with h5py.File(out) as grids:
        assert "path" not in grids["results/patch/z"].attrs


# ---- circuits ----

def graph_of(model, names, inside):
    info = json.loads(run("info", HERE / "fixtures" / model, "--json").stdout)
    nodes = {"input", "logits"} | {name.split("->")[0] for name in names}
    return dict(cfg=dict(n_layers=info["n_layers"], n_heads=info["n_heads"], d_model=info["d_model"], parallel_attn_mlp=model == "gpt_neox"),
                nodes={node: {"in_graph": True} for node in sorted(nodes)},
                edges={name: {"score": 0.5, "in_graph": name in inside} for name in names})


def circuit(tmp_path, model, pairs, graph, *args):
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    (tmp_path / "circuit.json").write_text(graph if isinstance(graph, str) else json.dumps(graph))
    return run("patch", "-m", HERE / "fixtures" / model, "--pairs", tmp_path / "pairs.jsonl", "--circuit", tmp_path / "circuit.json", *args)


def circuit_row(tmp_path, model, pairs, graph, *args):
    result = circuit(tmp_path, model, pairs, graph, "--csv", *args)
    assert result.returncode == 0, result.stderr
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    return {name: float(value) for name, value in row.items() if name != "metric" and value}


def reference_circuits(model):
    """pairs, names of all edges, [(edges inside, [value of each pair])]"""
    with h5py.File(HERE / f"fixtures/paths_{model}.h5") as file:
        group = file["circuits"]
        sets = [json.loads(text) for text in group["edges"].asstr()]
        return json.loads(file.attrs["pairs"]), json.loads(group["names"].asstr()[()]), list(zip(sets, group["values"][...]))


@pytest.mark.parametrize("model", MODELS)
def test_circuits_are_those_of_the_reference(tmp_path, model):
    pairs, names, sets = reference_circuits(model)
    clean, corrupt = sets[1][1], sets[0][1]            # all edges, and none
    for inside, want in sets:
        row = circuit_row(tmp_path, model, pairs, graph_of(model, names, set(inside)))
        assert (row["edges"], row["edges_of_model"], row["pairs"]) == (len(inside), len(names), len(pairs))
        for name, values in (("clean", clean), ("corrupt", corrupt), ("circuit", want)):
            assert abs(row[name] - values.mean()) < 1e-4
            assert abs(row[name + "_stderr"] - values.std(ddof=1) / len(values) ** 0.5) < 1e-4
        faithful = (want.mean() - corrupt.mean()) / (clean.mean() - corrupt.mean())
        assert row["normalised"] == pytest.approx(faithful, abs=1e-3 * max(1, 1 / abs(clean.mean() - corrupt.mean())))


def test_threads_and_metrics_do_not_change_a_circuit(tmp_path):
    pairs, names, sets = reference_circuits("gemma2")
    graph = graph_of("gemma2", names, set(sets[3][0]))
    rows = [circuit_row(tmp_path, "gemma2", pairs, graph, "--threads", threads) for threads in (1, 2, 5)]
    for row in rows:
        assert all(row[name] == pytest.approx(value, abs=1e-5) for name, value in rows[0].items())
    result = circuit(tmp_path, "gemma2", pairs, graph, "--csv", "--metric", "logit(answer)@1+-1", "--metric", "logit(answer) - logit(wrong)")
    assert result.stdout.splitlines()[2].endswith("," + circuit(tmp_path, "gemma2", pairs, graph, "--csv").stdout.splitlines()[1].split(",", 1)[1])


def test_a_circuit_is_measured_by_any_metric(tmp_path):
    pairs, names, sets = reference_circuits("llama")
    graph = graph_of("llama", names, set(sets[0][0]))
    metrics = "kl(#base)", "loss@1:", "entropy", "[resid_post:1.3@-1]"
    result = circuit(tmp_path, "llama", pairs, graph, "--csv", *(word for metric in metrics for word in ("--metric", metric)))
    rows = {row["metric"]: {name: float(row[name]) for name in ("clean", "corrupt", "circuit")} for row in csv.DictReader(result.stdout.splitlines())}
    assert list(rows) == list(metrics) and rows["kl(#base)"]["clean"] == 0 < rows["kl(#base)"]["circuit"]
    whole = circuit(tmp_path, "llama", pairs, graph_of("llama", names, set(names)), "--csv", *(word for metric in metrics for word in ("--metric", metric)))
    for row in csv.DictReader(whole.stdout.splitlines()):
        assert float(row["circuit"]) == float(row["clean"]) == rows[row["metric"]]["clean"]


def test_a_circuit_of_all_edges_is_the_clean_prompt_bit_for_bit(tmp_path):
    pairs, names, _ = reference_circuits("llama")
    row = circuit_row(tmp_path, "llama", pairs, graph_of("llama", names, set(names)))
    assert row["circuit"] == row["clean"] and row["normalised"] == 1


def test_edges_that_a_file_leaves_out_are_outside(tmp_path):
    pairs, names, sets = reference_circuits("gpt2")
    graph = graph_of("gpt2", names, set(sets[4][0]))
    whole = circuit_row(tmp_path, "gpt2", pairs, graph)
    graph["edges"] = {name: edge for name, edge in graph["edges"].items() if edge["in_graph"]}
    del graph["nodes"]
    assert circuit_row(tmp_path, "gpt2", pairs, graph) == whole
    result = circuit(tmp_path, "gpt2", pairs, graph)
    assert result.stdout.splitlines()[0] == f"circuit of {len(sets[4][0])} of {len(names)} edges, the others corrupt, 2 pairs"


def edge(name, value):
    return lambda graph: graph["edges"].update({name: value})


@pytest.mark.parametrize("change, words", [
    (lambda graph: "{", "not valid JSON"),
    (lambda graph: "[]", "no circuit: it has no object 'cfg'"),
    (lambda graph: "[" * 100, "nest"),
    (lambda graph: graph.update(cfg=3), "no circuit: it has no object 'cfg'"),
    (lambda graph: graph["cfg"].update(n_layers=7), "a circuit of another model: its n_layers is 7, this model's 3"),
    (lambda graph: graph["cfg"].update(n_heads=1e300), "n_heads"),
    (lambda graph: graph["cfg"].update(parallel_attn_mlp=True), "its parallel_attn_mlp is true, this model's is not"),
    (lambda graph: graph.pop("edges") and None, "no circuit: it has no object 'edges'"),
    (lambda graph: graph.update(nodes=[]), "'nodes' must be an object"),
    (lambda graph: graph["nodes"].update(x3={}), "node 'x3': the model has no such node"),
    (lambda graph: graph["nodes"].update(m0={"neurons": [True, False]}), "node 'm0' has some of its neurons only"),
    (lambda graph: graph["nodes"].update(m0={"neurons": 5}), "node 'm0': its neurons must be a list"),
    (edge("m2->m1", {"in_graph": True}), "edge 'm2->m1': the model has no such edge"),
    (edge("a0.h0->a1.h1", {"in_graph": True}), "edge 'a0.h0->a1.h1': the model has no such edge"),
    (edge("a0.h0->a1.h1<x>", {"in_graph": True}), "edge 'a0.h0->a1.h1<x>'"),
    (edge("a0.h4->m2", {"in_graph": True}), "edge 'a0.h4->m2'"),
    (edge("a0.h00->m2", {"in_graph": True}), "edge 'a0.h00->m2'"),
    (edge("a99999999999999999999.h0->m2", {"in_graph": True}), "edge 'a9999"),
    (edge("logits->m2", {"in_graph": True}), "edge 'logits->m2'"),
    (edge("m0->input", {"in_graph": True}), "edge 'm0->input'"),
    (edge("m0->m1 ", {"in_graph": True}), "edge 'm0->m1 '"),
    (edge("", {"in_graph": True}), "edge ''"),
    (edge("\x1b[31m" + "y" * 5000, {"in_graph": True}), "\\x1b[31myyy"),
    (edge("m0->m1", {"in_graph": 1}), "edge 'm0->m1': it must be an object whose in_graph is true or false"),
    (edge("m0->m1", True), "edge 'm0->m1': it must be an object whose in_graph is true or false"),
    (lambda graph: json.dumps(graph)[:-2] + ', "m0->m1": {"in_graph": true}}}', "edge 'm0->m1': it is there twice"),
])
def test_what_is_no_circuit_is_refused(tmp_path, change, words):
    pairs, names, _ = reference_circuits("gpt2")
    graph = graph_of("gpt2", names, set())
    text = change(graph)
    result = circuit(tmp_path, "gpt2", pairs, text if isinstance(text, str) else graph)
    assert result.returncode in (3, 4) and words in result.stderr and result.stdout == "", result.stderr
    assert len(result.stderr) < 400 and result.stderr.startswith("weir: --circuit: ")


@pytest.mark.parametrize("family, args, words", [
    ("gptj", [], "no circuits of this model: it has no mlp_in in layer 0"),
    ("olmo2", [], "no circuits of this model: the keys of all heads are normed together"),
    ("gpt2", ["--metric", "2 * kl(#clean)"], "#clean is the prompt that runs, and that a circuit changes: #base is the same prompt"),
    ("gpt2", ["--at", "z"], "--circuit measures one thing: --at is for grids"),
    ("gpt2", ["-o", "x.h5"], "--circuit measures one thing: --output is for grids"),
])
def test_circuits_that_cannot_be_measured_are_refused(tmp_path, family, args, words):
    result = circuit(tmp_path, family, [PAIR], dict(cfg={}, edges={}), *args)
    assert result.returncode in (2, 4) and words in result.stderr, result.stderr
