"""Edits as data (`weir dump --edit`): what follows each is what the same edit gives in float64 (tests/oracle/forward.py), at every later hook
point, in tiny models of six kinds. The oracle itself is held to PyTorch's values first."""
import json
import re

import h5py
import numpy as np
import pytest

import cache
import forward
import prompts
import reference
from cache import FIXTURES
from measure import BOUND

FAMILIES = ("gpt2", "gpt_neox", "llama", "gemma2", "qwen3", "mixtral")
PROMPTS = [prompts.tokens(23), prompts.tokens(17, seed=5), prompts.tokens(23, seed=6)]
ALL = "*,attn_in,q_input,k_input,v_input,result,mlp_in"
every_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(scope="session")
def model():
    """model(family): the oracle, and its hook points by TransformerLens's names"""
    made = {}

    def get(family):
        if family not in made:
            made[family] = forward.Model(FIXTURES / family)
        return made[family]
    return get


def hooks(family):
    return {h["name"]: h["short"] for h in json.loads(cache.weir("hooks", "-m", FIXTURES / family, "--json").stdout)["hooks"]}


def has(family, point):
    return point in hooks(family).values()


@every_family
def test_the_oracle_gives_what_pytorch_gives(model, family):
    got, names = model(family).run(PROMPTS[:1])[0], hooks(family)
    with h5py.File(FIXTURES / family / "ref_23.h5") as ref:
        for name, (data, index) in reference.points(ref).items():
            block = re.match(r"blocks\.(\d+)\.(.*)", name)
            point = names["blocks.{layer}." + block[2]] if block else names[name]
            x = got[point, int(block[1]) if block else None]
            x = np.take(x, ref["rows"][...], axis=1 if point in ("pattern", "attn_scores") else 0)
            assert reference.error(x[None], data[index]) < 1e-6, name     # they are stored rounded to float32


def dump(family, out, edits, prompts=PROMPTS, hooks=ALL, check=True):
    args = ["dump", "-m", FIXTURES / family, "--hooks", hooks, "-o", out, "--force"]
    for edit in edits:
        args += ["--edit", edit]
    for ids in prompts:
        args += ["--tokens", ",".join(map(str, ids))]
    done = cache.weir(*args, check=check)
    return cache.Cache(out) if check else done


def compare(run, truth, bound=BOUND):
    """every point of every prompt that both have"""
    wrong = []
    for prompt, points in enumerate(truth):
        for (point, layer), y in points.items():
            if point.endswith(".h") or point not in run.names:
                continue
            x = run(point, layer, prompt)
            if point in ("pattern", "attn_scores"):
                y = np.where(np.isnan(y), -np.inf, y)
            error = reference.error(x[None], y[None])
            if not error <= bound:
                wrong.append((error, point, layer, prompt))
    assert not wrong, f"{len(wrong)} points are off; the first of the pass: {wrong[0]}; the worst: {max(wrong)}"


class Edit:
    """The same edit twice: as text, and as what it does to values[prompt] at its points."""

    def __init__(self, text, points, change, layers=(1,)):
        self.text, self.points, self.change, self.layers = text, points, change, layers

    def at(self, point, layer, values):
        if point in self.points and (layer is None or layer in self.layers):
            self.change(values)


def each(change):
    """a change of every prompt's value, in place"""
    def all_of(values):
        for x in values:
            change(x)
    return all_of


def check(model, family, tmp_path, edits, **options):
    def at(point, layer, values):
        for edit in edits:
            edit.at(point, layer, values)
    given = options.get("prompts", PROMPTS)
    run = dump(family, tmp_path / "run.h5", [edit.text for edit in edits], given)
    truth = model(family).run(given, at)
    compare(run, truth)
    return run, truth


def zero(*index):
    def change(x):
        x[index] = 0
    return change


ALL_OF = slice(None)


@every_family
def test_a_head_set_to_zero(model, family, tmp_path):
    check(model, family, tmp_path, [Edit("z:1.2 = 0", ["z"], each(zero(ALL_OF, 2)))])


@every_family
def test_a_number_added_to_a_row_of_the_stream(model, family, tmp_path):
    def add(x):
        x[5] += 0.5
    check(model, family, tmp_path, [Edit("resid_mid:1@5 += 0.5" if family != "gpt_neox" else "resid_pre:1@5 += 0.5",
                                         ["resid_mid" if family != "gpt_neox" else "resid_pre"], each(add))])


@every_family
def test_a_pattern_halved_at_a_key(model, family, tmp_path):
    def halve(x):
        x[:, 1:, 0] *= 0.5
    check(model, family, tmp_path, [Edit("pattern:1@1:/0 *= 0.5", ["pattern"], each(halve))])


@every_family
def test_attention_knocked_out(model, family, tmp_path):
    def mask(x):
        x[1:3, 6, 2:5] = -np.inf
        x[1:3, -1, 2:5] = -np.inf
    check(model, family, tmp_path, [Edit("attn_scores:1.1+2@6+-1/2:5 = -inf", ["attn_scores"], each(mask))])


@every_family
def test_neurons_held_at_most(model, family, tmp_path):
    point = "mlp_post" if family != "mixtral" else "mlp_out"
    def hold(x):
        x[:, [3, 7]] = np.minimum(x[:, [3, 7]], -0.01)
    check(model, family, tmp_path, [Edit(f"{point}:1.3+7 <= -0.01", [point], each(hold))])


@every_family
def test_values_held_at_least(model, family, tmp_path):
    def hold(x):
        x[2:4] = np.maximum(x[2:4], 0.1)
    check(model, family, tmp_path, [Edit("q:1@2:4 >= 0.1", ["q"], each(hold))])


@every_family
def test_edits_act_in_the_order_given(model, family, tmp_path):
    def add(x):
        x[3] += 1
    def scale(x):
        x[3:5] *= 2
    first, second = Edit("attn_out:1@3 += 1", ["attn_out"], each(add)), Edit("attn_out:1@3:5 *= 2", ["attn_out"], each(scale))
    check(model, family, tmp_path, [first, second])
    check(model, family, tmp_path, [second, first])


@every_family
def test_a_row_patched_from_another_prompt(model, family, tmp_path):
    def patch(values):
        values[0][9] = values[2][9]
    check(model, family, tmp_path, [Edit("resid_pre:1@9#0 = [#2]", ["resid_pre"], patch)])


@every_family
def test_another_position_of_another_prompt(model, family, tmp_path):
    def patch(values):
        values[0][3] = values[2][4]
    check(model, family, tmp_path, [Edit("resid_post:0@3#0 = [@4#2]", ["resid_post"], patch, layers=(0,))])


@every_family
def test_prompts_pair_in_order_and_an_edit_reads_all_before_it_writes(model, family, tmp_path):
    def onward(values):
        values[0][:17], values[1][:] = values[1].copy(), values[2][:17].copy()
    check(model, family, tmp_path, [Edit("z:1@:17#:2 = [#1:]", ["z"], onward)])

    def shift(values):
        values[0][1:] = values[0][:-1].copy()
    check(model, family, tmp_path, [Edit("resid_pre:1@1:#0 = [@:-1]", ["resid_pre"], shift)])


@every_family
def test_a_source_at_an_earlier_point_with_a_factor(model, family, tmp_path):
    seen = {}

    def at(point, layer, values):
        if (point, layer) == ("result", 0):
            seen["x"] = [x.copy() for x in values]
        if (point, layer) == ("resid_pre", 1):
            for x, y in zip(values, seen["x"]):
                x -= 2 * y[:, 3]
    run = dump(family, tmp_path / "run.h5", ["resid_pre:1 -= 2 * [result:0.3]"])
    compare(run, model(family).run(PROMPTS, at))


@every_family
def test_a_source_later_than_its_target_from_another_prompt(model, family, tmp_path):
    later = model(family).run(PROMPTS)[1]["resid_post", 2]

    def at(point, layer, values):
        if (point, layer) == ("resid_pre", 1):
            values[0][4] = later[7]
    run = dump(family, tmp_path / "run.h5", ["resid_pre:1@4#0 = [resid_post:2@7#1]"])
    compare(run, model(family).run(PROMPTS, at))


@every_family
def test_patterns_and_norms_frozen_to_the_unedited_run(model, family, tmp_path):
    plain = model(family).run(PROMPTS)
    frozen = [p for p in ("pattern", "ln1_scale", "ln2_scale", "ln1_post_scale", "ln2_post_scale", "ln_final_scale") if has(family, p)]

    def at(point, layer, values):
        if point in frozen:
            for x, base in zip(values, plain):
                x[:] = base[point, layer]
        if (point, layer) == ("embed", None):
            for x in values:
                x[3] *= 1.5
    run = dump(family, tmp_path / "run.h5", ["embed@3 *= 1.5", "pattern,ln*_scale = [#base]"])
    compare(run, model(family).run(PROMPTS, at))


@every_family
def test_a_mean_over_prompts_and_positions(model, family, tmp_path):
    def mean(values):
        values[0][:, 1] = np.concatenate([v[:, 1] for v in values[1:]]).mean(0)
    check(model, family, tmp_path, [Edit("z:1.1#0 = mean([@:#1:3])", ["z"], mean)])

    def by_position(values):
        values[1][:] = (values[0][:17] + values[2][:17]) / 2
    check(model, family, tmp_path, [Edit("attn_out:1#1 = mean([#0+2])", ["attn_out"], by_position)])


@pytest.mark.parametrize("edit", [
    "z:1.0@4#0 = resample(FROM[z:1.1+2+3@4#1], 7)", "z:1.0@4#0 = resample(FROM[z:1.1+2+3@4#1], 9)", "z:1.0@4#2 = resample(FROM[z:1.1+2+3@4#1], 12)",
    "z:1@4#0 = resample(FROM[@1:9#1:], 8)", "z:1.0#1 = 0.5 * mean(FROM[z:1.1+2@:#:])",
    "z:1.2@3+1+2#0 = FROM[z:0.1@5:8#2]", "resid_pre:0:2@5#1 = FROM[:0:2@-1#2]", "pattern:1.1@6/0:3#0 = FROM[@7/1:4#2]"])
def test_a_place_of_the_run_serves_as_the_same_place_of_a_cache_does(tmp_path, edit):
    dump("gpt2", tmp_path / "ref.h5", [])
    here, there = (dump("gpt2", tmp_path / name, [edit.replace("FROM", source)]) for name, source in
                   (("here.h5", ""), ("there.h5", str(tmp_path / "ref.h5"))))
    plain = cache.Cache(tmp_path / "ref.h5")
    assert not np.allclose(here.file["activations/z"][...], plain.file["activations/z"][...]) or "resid" in edit
    for point in here.names:
        np.testing.assert_allclose(here.file["activations"][point][...], there.file["activations"][point][...], atol=1e-6, rtol=1e-6)


def test_a_mean_over_a_side_is_of_all_prompts_of_it(model, tmp_path):
    def mean(values):
        clean = np.concatenate([values[1], values[3]]).mean(0)
        values[0][:] = values[2][:] = clean
    lines = tmp_path / "pairs.jsonl"
    prompts = [PROMPTS[0], PROMPTS[2], PROMPTS[1], PROMPTS[1][::-1]]
    lines.write_text("".join(json.dumps({"corrupt": a, "clean": b}) + "\n" for a, b in (prompts[:2], prompts[2:])))
    cache.weir("dump", "-m", FIXTURES / "gpt2", "-f", lines, "--side", "corrupt", "--side", "clean", "--hooks", ALL,
               "--edit", "attn_out:1#corrupt = mean([@:#clean])", "-o", tmp_path / "run.h5")
    compare(cache.Cache(tmp_path / "run.h5"), model("gpt2").run(prompts, Edit("", ["attn_out"], mean).at))


@every_family
def test_one_heads_query_input(model, family, tmp_path):
    def add(x):
        x[4:7, 1] += 0.25
    check(model, family, tmp_path, [Edit("q_input:1.1@4:7 += 0.25", ["q_input"], each(add))])


@every_family
def test_a_result_edited_reaches_attn_out(model, family, tmp_path):
    def scale(x):
        x[3, 2] *= -2
    check(model, family, tmp_path, [Edit("result:1.2@3 *= -2", ["result"], each(scale))])


# ---- every hook point ----

def every_point():
    for family in FAMILIES:
        names = hooks(family)
        for point in names.values():
            yield family, point


@pytest.mark.parametrize("family, point", list(every_point()))
def test_an_edit_at_every_hook_point(model, family, point, tmp_path):
    layered = any(name.startswith("blocks") and short == point for name, short in hooks(family).items())
    where = point + (":1" if layered else "") + "@2:6"

    def halve(x):
        x[(slice(None), slice(2, 6)) if point in ("pattern", "attn_scores") else slice(2, 6)] *= 0.5

    def choose(x):
        x[2:6] = x[1]
    if point == "expert_indices":                        # they are chosen, not scaled
        check(model, family, tmp_path, [Edit(f"{where} = [@1]", [point], each(choose))])
    else:
        check(model, family, tmp_path, [Edit(f"{where} *= 0.5", [point], each(halve))])


@every_family
def test_edits_that_change_nothing_change_no_bit(family, tmp_path):
    plain = dump(family, tmp_path / "plain.h5", [])
    for edit in (["* *= 1"], ["* += 0", "* -= 0"], [f"{ALL} = [#base]"], [f"{ALL} = []"]):
        if family == "mixtral":
            edit = [e.replace("*", "*,-expert_indices", 1) for e in edit if "base" not in e]
        run = dump(family, tmp_path / "edited.h5", edit)
        for point in plain.names:
            a, b = (x.file["activations"][point][...] for x in (plain, run))
            assert a.tobytes() == b.tobytes(), (edit, point)


# ---- along directions, with norms kept ----

@pytest.fixture(scope="module")
def directions(tmp_path_factory):
    """two directions that are not orthonormal, as a file, and as an orthonormal basis"""
    path, rng = tmp_path_factory.mktemp("directions") / "two.npy", np.random.default_rng(4)
    rows = rng.normal(size=(2, 48)).astype(np.float32)
    np.save(path, rows)
    return path, np.linalg.qr(rows.astype(np.float64).T)[0].T


@every_family
def test_directional_ablation(model, family, tmp_path, directions):
    path, basis = directions

    def ablate(x):
        x -= x @ basis.T @ basis
    check(model, family, tmp_path, [Edit(f"resid_pre,attn_out,mlp_out = 0 along {path}", ["resid_pre", "attn_out", "mlp_out"], each(ablate),
                                         layers=range(9))])


@every_family
def test_interchange_in_a_subspace(model, family, tmp_path, directions):
    path, basis = directions

    def interchange(values):
        values[0][4:] += (values[2][4:] - values[0][4:]) @ basis.T @ basis
    check(model, family, tmp_path, [Edit(f"resid_pre:1@4:#0 = [#2] along {path}", ["resid_pre"], interchange)])


@every_family
def test_a_projection_held_above_a_value(model, family, tmp_path, directions):
    path, basis = directions

    def hold(x):                     # the sign of a direction matters here: rows of a basis keep that of the first one given
        v = np.load(path)[:1].astype(np.float64)
        v /= np.linalg.norm(v)
        c = x @ v.T
        x += (np.maximum(c, 0.3) - c) @ v
    first = tmp_path / "first.npy"
    np.save(first, np.load(path)[0])
    check(model, family, tmp_path, [Edit(f"resid_post:1 >= 0.3 along {first}", ["resid_post"], each(hold))])


@every_family
def test_a_norm_that_is_kept(model, family, tmp_path):
    def add(x, axis=-1):
        had = np.linalg.norm(x, axis=-1, keepdims=True)
        x += 0.7
        x *= had / np.linalg.norm(x, axis=-1, keepdims=True)
    check(model, family, tmp_path, [Edit("resid_post:1 += 0.7 keeping norm", ["resid_post"], each(add))])
    check(model, family, tmp_path, [Edit("q:1 += 0.7 keeping norm", ["q"], each(add))])       # that of each head


# ---- refusals ----

@pytest.mark.parametrize("edits, message", [
    (["pattern:0@3/5 = 0"], "changes nothing in any prompt"),
    (["resid_pre:1@9#0 = [#7]"], "character 19: prompt 7 is out of range"),
    (["z:1 = [z:1.0+1]"], "has 2\\d numbers at a position, where 48 are changed"),
    (["resid_pre:1 = [resid_post:2]"], "character 15: resid_post:2 is computed after resid_pre:1 in the same prompt"),
    (["z:1 = [z:2]"], "character 7: z:2 is computed after z:1 in the same prompt"),
    (["z:0,z:1+7 = 0"], "--edit: character 7: layer 7 is out of range"),
    (["z:1.9 = 0"], "--edit: character 5: unit 9 is out of range"),
    (["z:0 = 0", "z:1@4,z:2.1@99 *= 2"], "prompt 0: z:1@4,z:2.1@99 \\*= 2: character 13: position 99 is out of range"),
    (["pattern:1@2/7+77 = 0"], "pattern:1@2/7\\+77 = 0: character 13: key 77 is out of range"),
    (["z:1.2.3 = 0"], "character 1: 'z:1.2.3': EXPERT.NEURON is for expert_pre"),
    (["z:1#1,z:2#3 = 0"], "z:1#1,z:2#3 = 0: character 11: prompt 3 is out of range"),
    (["resid_pre:1#0 = [resid_post:2#2]", "resid_pre:1#2 = [resid_post:2#0]"], "no order of passes"),
    (["z:1.0 = resample([z:0:2.0#1], 3)"], "a layer is drawn from files only"),
    (["resid_pre:1@4 = [@1:3]"], "names 2 positions for 1 that are changed"),
    (["z:1 = 1e39"], "character 7: 1e\\+39 is no float32"),
    (["z:1 -= 1e39 * [#0]"], "character 8: 1e\\+39 is no float32"),
    (["z:1 += noise(1e39, 2)"], "character 8: 1e\\+39 is no float32"),
    (["z:1 = -inf"], "-inf is for attn_scores and router"),
    (["attn_scores:1.2@4 = -inf"], "no key is left to query 4 of prompt 0 in head 2 of layer 1"),
    (["pattern:1 = [resid_pre:1]"], "cannot be changed by the other"),
    (["resid_pre:1@20#0 = [#1]"], "prompt 1 has no position 20"),
    (["attn_scores:1 += 1 keeping norm"], "neither directions nor a norm"),
])
def test_an_edit_that_cannot_be_is_refused(tmp_path, edits, message):
    done = dump("gpt2", tmp_path / "no.h5", edits, check=False)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1 + ("no key is left" in message), done.stderr   # nothing is said of a file that will not be
    assert not (tmp_path / "no.h5").exists()


def test_a_file_has_its_edits_in_order_as_json(tmp_path):
    edits = ["z:1.2 = 0", "resid_post:1@-1 += 2 * [#base] keeping norm"]
    run = dump("gpt2", tmp_path / "run.h5", edits)
    assert json.loads(run.file.attrs["edits"]) == [
        {"select": "z:1.2", "op": "=", "value": "0"},
        {"select": "resid_post:1@-1", "op": "+=", "value": "2 * [#base]", "keeping": "norm"}]
    cache.weir("validate", run.file.filename)


def test_unedited_copies_are_not_in_the_file(tmp_path):
    run = dump("gpt2", tmp_path / "run.h5", ["z:1.2 = [#base]"])
    assert run.file["tokens/id"].shape[0] == len(PROMPTS)


@every_family
def test_ablations_are_short_for_edits(model, family, tmp_path):
    def mean(values):
        for x in values:
            x[-1, 2] = x[:, 2].mean(0)
            x[:, 0] = 0
    run = tmp_path / "run.h5"
    args = ["dump", "-m", FIXTURES / family, "--hooks", ALL, "-o", run, "--ablate", "z:1.2@-1=mean", "--ablate", "z:1.0"]
    for ids in PROMPTS:
        args += ["--tokens", ",".join(map(str, ids))]
    cache.weir(*args)
    compare(cache.Cache(run), model(family).run(PROMPTS, lambda point, layer, values: mean(values) if (point, layer) == ("z", 1) else None))


def test_a_vector_of_a_file_and_a_mean_of_a_cache(model, tmp_path):
    vector = np.random.default_rng(3).normal(size=48).astype(np.float32)
    np.save(tmp_path / "love.npy", vector)
    plain = dump("llama", tmp_path / "ref.h5", [])
    mean = np.concatenate([plain("z", 1, prompt)[:, 3] for prompt in range(3)]).mean(0)

    def at(point, layer, values):
        for x in values:
            if (point, layer) == ("resid_post", 0):
                x += 2 * vector.astype(np.float64)
            if (point, layer) == ("z", 1):
                x[:, 3] = mean
    edits = [f"resid_post:0 += 2 * {tmp_path}/love.npy", f"z:1.3 = mean({tmp_path}/ref.h5[@:#:])"]
    compare(dump("llama", tmp_path / "run.h5", edits), model("llama").run(PROMPTS, at))


# ---- query heads that share keys and values ----

GROUPED = ("llama", "gemma2", "qwen3", "mixtral")          # six query heads, two key-value heads
every_grouped = pytest.mark.parametrize("family", GROUPED)


@pytest.mark.parametrize("family, point", [(family, point) for family in GROUPED for point in ("k_input", "v_input", "k", "v", "k_normed", "rot_k")
                                           if has(family, point)])
def test_what_one_query_head_reads(model, family, point, tmp_path):
    def change(values):
        for x in values:
            x[2:9, 4] *= 0.3
            x[2:9, 4] += 0.1
    edits = [f"{point}:1.h4@2:9 *= 0.3", f"{point}:1.h4@2:9 += 0.1"]
    truth = model(family).run(PROMPTS, lambda at, layer, values: change(values) if (at, layer) == (point + ".h", 1) else None)
    run = dump(family, tmp_path / "run.h5", edits)
    compare(run, truth)
    plain = dump(family, tmp_path / "plain.h5", [])
    for name in ("k", "v", "rot_k"):                       # what the key-value head itself has is as it was
        assert np.array_equal(run(name, 1), plain(name, 1)), name
    others = [h for h in range(6) if h != 4]
    assert np.array_equal(run("z", 1)[:, others], plain("z", 1)[:, others])
    assert not np.array_equal(run("z", 1)[:, 4], plain("z", 1)[:, 4])


@every_grouped
@pytest.mark.parametrize("point", ["k_input", "v_input", "k", "v", "rot_k"])
def test_all_query_heads_of_a_key_value_head_are_that_head(family, point, tmp_path):
    by_query = dump(family, tmp_path / "query.h5", [f"{point}:1.h3+4+5 *= 0.5", f"{point}:1.h0 += 0"])
    by_head = dump(family, tmp_path / "head.h5", [f"{point}:1.1 *= 0.5"])
    for name in ("z", "attn_out", "logits"):
        assert np.array_equal(by_query(name, *([1] if name != "logits" else [None])), by_head(name, *([1] if name != "logits" else [None]))), name


@every_grouped
def test_an_edit_of_a_key_value_head_reaches_the_copies_of_its_query_heads(family, tmp_path):
    after = dump(family, tmp_path / "after.h5", ["k:1.h4@2 *= 2", "k:1.1@2 *= 0.5"])       # back where it was, for that head
    only = dump(family, tmp_path / "only.h5", ["k:1.h3+5@2 *= 0.5"])
    assert np.array_equal(after("z", 1), only("z", 1))


@every_grouped
def test_a_query_heads_copy_is_patched_from_that_of_another_prompt(family, tmp_path):
    by_query = dump(family, tmp_path / "query.h5", ["v:1.h3+4+5#0 = [#2]"])
    by_head = dump(family, tmp_path / "head.h5", ["v:1.1#0 = [#2]"])
    assert np.array_equal(by_query("z", 1), by_head("z", 1))
    assert not np.array_equal(by_query("z", 1), dump(family, tmp_path / "plain.h5", [])("z", 1))


# ---- copies of the stream ----

def add_at(head, by=0.4):
    def add(x):
        x[4:7, head] += by
    return add


@every_family
@pytest.mark.parametrize("head", [0, 1, 4])
def test_what_one_head_reads_reaches_its_query_its_keys_and_its_values(model, family, head, tmp_path):
    head = min(head, model(family).heads - 1)
    edit = Edit(f"attn_in:1.{head}@4:7 += 0.4", ["attn_in"], each(add_at(head)))
    run, _ = check(model, family, tmp_path, [edit])
    plain = dump(family, tmp_path / "plain.h5", [])
    others = [h for h in range(model(family).heads) if h != head]
    assert np.array_equal(run("z", 1)[:, others], plain("z", 1)[:, others])


@every_grouped
def test_an_edit_of_attn_in_is_that_of_the_three_inputs(family, tmp_path):
    copy = dump(family, tmp_path / "copy.h5", ["attn_in:1.4@4:7 += 0.4"])
    inputs = dump(family, tmp_path / "inputs.h5", ["q_input:1.4@4:7 += 0.4", "k_input:1.h4@4:7 += 0.4", "v_input:1.h4@4:7 += 0.4"])
    for name in ("q", "k", "v", "z", "attn_out"):
        assert np.array_equal(copy(name, 1), inputs(name, 1)), name


@every_grouped
def test_heads_that_share_keys_and_are_edited_alike_change_them(model, family, tmp_path):
    """the key-value head's own input is then what they read, and readers see it"""
    edit = Edit("attn_in:1.3:@4:7 += 0.4", ["attn_in"], each(add_at(slice(3, 6))))
    run, truth = check(model, family, tmp_path, [edit])
    plain = dump(family, tmp_path / "plain.h5", [])
    assert not np.array_equal(run("k", 1)[4:7, 1], plain("k", 1)[4:7, 1])
    assert np.array_equal(run("k", 1)[:, 0], plain("k", 1)[:, 0])
    both = Edit("attn_in:1.1+3:@4:7 += 0.4", ["attn_in"], each(add_at([1, 3, 4, 5])))
    check(model, family, tmp_path, [both])


@every_grouped
def test_edits_of_keys_come_after_those_of_the_copies(family, tmp_path):
    after = dump(family, tmp_path / "after.h5", ["attn_in:1.4@4:7 += 0.4", "k:1.1@4:7 *= 0.5", "v:1.1@4:7 *= 0.5"])
    by_query = dump(family, tmp_path / "query.h5", ["attn_in:1.4@4:7 += 0.4", "k:1.h3+4+5@4:7 *= 0.5", "v:1.h3+4+5@4:7 *= 0.5"])
    assert np.array_equal(after("z", 1), by_query("z", 1))


@every_family
@pytest.mark.parametrize("point", ["attn_in", "q_input", "k_input", "v_input"])
@pytest.mark.parametrize("norm", ["ln1_scale", "ln1_normalized", "ln1_out"])
def test_edits_of_the_norm_come_to_heads_with_inputs_of_their_own(model, family, point, norm, tmp_path):
    def halve(x):
        x[2:6] *= 0.5
    check(model, family, tmp_path, [Edit(f"{point}:1.1@4:7 += 0.4", [point], each(add_at(1))),
                                    Edit(f"{norm}:1@2:6 *= 0.5", [norm], each(halve))])


@every_family
def test_a_frozen_norm_is_that_of_heads_with_inputs_of_their_own_too(model, family, tmp_path):
    plain = model(family).run(PROMPTS)

    def at(point, layer, values):
        if (point, layer) == ("q_input", 1):
            each(add_at(1))(values)
        if (point, layer) == ("ln1_scale", 1):
            for x, base in zip(values, plain):
                x[:] = base[point, layer]
    run = dump(family, tmp_path / "run.h5", ["q_input:1.1@4:7 += 0.4", "ln1_scale:1 = [#base]"])
    compare(run, model(family).run(PROMPTS, at))
    mean = np.concatenate([p["ln1_normalized", 1] for p in plain[1:]]).mean(0)

    def averaged(point, layer, values):
        if (point, layer) == ("k_input", 1):
            each(add_at(1))(values)
        if (point, layer) == ("ln1_normalized", 1):
            values[0][:] = mean
    run = dump(family, tmp_path / "run.h5", ["k_input:1.1@4:7 += 0.4", "ln1_normalized:1#0 = mean([@:#1:3])"])
    compare(run, model(family).run(PROMPTS, averaged))


@pytest.mark.parametrize("copy", ["attn_in", "attn_in.0", "attn_in.1", "attn_in.4", "attn_in.3:6", "q_input.1", "k_input.1", "v_input.0",
                                  "k_input.h4", "v_input.h4"])
def test_copies_of_the_stream_do_what_transformerlens_does(tmp_path, copy):
    """made by tests/oracle/head_inputs.py: single heads of attn_in in the model with a key-value head for each query head"""
    point, _, heads = copy.partition(".")
    run = dump("llama", tmp_path / "run.h5", [f"{point}:1{'.' * bool(heads)}{heads}@4:7 += 0.4"], [PROMPTS[0], PROMPTS[2]])
    with h5py.File(FIXTURES / "head_inputs_llama.h5") as file:
        for prompt, z in enumerate(file[copy][...].astype(float)):
            assert reference.error(run("z", 1, prompt)[None], z[None]) < BOUND
            assert reference.error(run("z", 1, prompt)[None], file["attn_in" if copy != "attn_in" else "q_input.1"][prompt][None].astype(float)) > 100 * BOUND


def test_what_one_query_head_reads_of_keys_that_are_normed_together(tmp_path):
    """as if it stood in its key-value head's place, beside the others"""
    for point in ("k", "k_input"):
        by_query = dump("olmo2", tmp_path / "query.h5", [f"{point}:1.h3+4+5@2:9 *= 0.3", f"{point}:1.h0 += 0"])
        by_head = dump("olmo2", tmp_path / "head.h5", [f"{point}:1.1@2:9 *= 0.3"])
        plain = dump("olmo2", tmp_path / "plain.h5", [])
        assert np.array_equal(by_query("z", 1)[:, 3:], by_head("z", 1)[:, 3:])
        assert np.array_equal(by_query("z", 1)[:, :3], plain("z", 1)[:, :3])
        assert not np.array_equal(by_query("z", 1)[:, 3:], plain("z", 1)[:, 3:])


# ---- experts and their neurons ----

SPARSE = ("mixtral", "qwen3_moe", "gpt_oss")


def expert_edits():
    for family in SPARSE:
        with h5py.File(FIXTURES / f"experts_{family}.h5") as file:
            for name in file:
                yield family, file[name].attrs["edit"]


@pytest.mark.parametrize("family, edit", list(expert_edits()))
def test_neurons_of_experts_are_changed_as_pytorch_hooks_change_them(tmp_path, family, edit):
    """made by tests/oracle/experts.py"""
    rows = [2, 8, 12, 22]
    run = dump(family, tmp_path / "run.h5", [edit], [PROMPTS[0], PROMPTS[2]])
    plain = dump(family, tmp_path / "plain.h5", [], [PROMPTS[0], PROMPTS[2]])
    with h5py.File(FIXTURES / f"experts_{family}.h5") as file:
        truth, = (group for group in file.values() if group.attrs["edit"] == edit)
        changed = 0
        for point, layer in (("resid_post", 1), ("logits", None)):
            for prompt, y in enumerate(truth[point][...].astype(float)):
                x = run(point, layer, prompt)[rows]
                assert reference.error(x[None], y[None]) < BOUND, (point, prompt)
                changed += not np.array_equal(x, plain(point, layer, prompt)[rows])
        assert changed


def expert_values(run, layer, prompt, expert):
    """rows in which an expert was chosen, and its post there"""
    chosen, post = run("expert_indices", layer, prompt), run("expert_post", layer, prompt)
    rows, places = np.nonzero(chosen == expert)
    return rows, post[rows, places]


@pytest.mark.parametrize("family", SPARSE)
def test_an_array_serves_an_experts_neurons(family, tmp_path):
    plain = dump(family, tmp_path / "plain.h5", [])
    n_experts, d_expert = plain("router", 1).shape[-1], plain("expert_post", 1).shape[-1]
    vector, matrix = (np.random.default_rng(3).normal(size=shape).astype(np.float32) for shape in ((d_expert,), (n_experts, d_expert)))
    np.save(tmp_path / "v.npy", vector), np.save(tmp_path / "m.npy", matrix), np.save(tmp_path / "few.npy", vector[2:6])
    one = dump(family, tmp_path / "one.h5", [f"expert_post:1.1 = {tmp_path}/v.npy"])
    all_of = dump(family, tmp_path / "all.h5", [f"expert_post:1.: = {tmp_path}/m.npy"])
    few = dump(family, tmp_path / "few.h5", [f"expert_post:1.1.2:6 = {tmp_path}/few.npy"])
    for prompt in range(len(PROMPTS)):
        for expert in range(n_experts):
            rows, before = expert_values(plain, 1, prompt, expert)
            assert np.array_equal(expert_values(one, 1, prompt, expert)[1], np.tile(vector, (len(rows), 1)) if expert == 1 else before)
            assert np.array_equal(expert_values(all_of, 1, prompt, expert)[1], np.tile(matrix[expert], (len(rows), 1)))
            if expert == 1:
                before[:, 2:6] = vector[2:6]
            assert np.array_equal(expert_values(few, 1, prompt, expert)[1], before)


@pytest.mark.parametrize("family", SPARSE)
def test_experts_that_are_taken_away_stay_as_they_are(family, tmp_path):
    plain, run = dump(family, tmp_path / "plain.h5", []), dump(family, tmp_path / "run.h5", ["expert_post:1,-expert_post:1.1,-expert_post:1.2.3 = 0"])
    for expert in range(plain("router", 1).shape[-1]):
        rows, x = expert_values(run, 1, 0, expert)
        y = expert_values(plain, 1, 0, expert)[1]
        keep = np.full(y.shape, expert == 1)
        keep[:, 3] |= expert == 2
        assert np.array_equal(x, y * keep)


@pytest.mark.parametrize("family", SPARSE)
def test_experts_by_themselves_or_all_of_them_are_one(family, tmp_path):
    named = dump(family, tmp_path / "named.h5", ["expert_pre:1.:@3:9 *= 0.5"])
    whole = dump(family, tmp_path / "whole.h5", ["expert_pre:1@3:9 *= 0.5"])
    base = dump(family, tmp_path / "base.h5", ["expert_pre:1.:@3:9 = [#base]"])
    plain = dump(family, tmp_path / "plain.h5", [])
    assert np.array_equal(named("logits", None), whole("logits", None)) and np.array_equal(base("logits", None), plain("logits", None))


def test_an_expert_that_was_not_chosen_has_no_neurons(tmp_path):
    """in the row that is edited: the edit touches nothing there; in the row that is read: an error"""
    plain = dump("mixtral", tmp_path / "plain.h5", [])
    chosen = plain("expert_indices", 1)
    expert = int(chosen[5, 0])
    without = next(row for row in range(23) if expert not in chosen[row])
    edit = f"expert_post:1.{expert}@{without} = 0"
    done = dump("mixtral", tmp_path / "no.h5", [edit], PROMPTS[:1], check=False)
    assert done.returncode == 2 and f"{edit}: character 1: this edit changed nothing in any prompt" in done.stderr, done.stderr
    done = dump("mixtral", tmp_path / "no.h5", [f"expert_post:1.{expert}@5 = [@{without}]"], PROMPTS[:1], check=False)
    assert done.returncode == 2, done.stderr
    assert f"expert {expert} was chosen at position 5 of prompt 0, and not where this reads it" in done.stderr
    assert not (tmp_path / "no.h5").exists()


@pytest.mark.parametrize("arguments, message", [
    (["--edit", "expert_post:1.4 = 0"], "--edit: character 15: expert 4 is out of range; it goes from 0 to 3"),
    (["--edit", "expert_post:1.2.99 = 0"], "character 17: neuron 99 is out of range; it goes from 0 to 87"),
    (["--edit", "expert_post:1.2 = [resid_pre:1]"], "character 19: resid_pre has no neurons of experts"),
    (["--edit", "expert_post:1.2 = ref.h5[#0]"], "by rank, not by expert"),
    (["--edit", "expert_post:1.2.3:5 += 1 keeping norm"], "takes all channels"),
    (["--hooks", "expert_post:1.2"], "'expert_post:1.2': single experts are for edits"),
    (["--hooks", "expert_post:1.2.3"], "'expert_post:1.2.3': single experts are for edits"),
])
def test_what_experts_cannot_be_is_refused(tmp_path, arguments, message):
    dump("mixtral", tmp_path / "ref.h5", [], PROMPTS[:1])
    arguments = [word.replace("ref.h5", str(tmp_path / "ref.h5")) for word in arguments]
    done = cache.weir("dump", "-m", FIXTURES / "mixtral", "--tokens", "1,2,3", "-o", tmp_path / "no.h5", *arguments, check=False)
    assert done.returncode == 2 and message in done.stderr, done.stderr
