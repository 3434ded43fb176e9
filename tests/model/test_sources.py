"""Where the numbers of an edit come from (hooks/sources/source.h), against numpy: caches read with h5py, arrays of every format, and the
formulas of docs/sources.md. source_cli prints the numbers that each box of an edit gets."""
import json
import math
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

import cache
from cache import FIXTURES, WEIR

CLI = Path(WEIR).parents[1] / "tests/model/source_cli"
MODEL = FIXTURES / "llama"                   # 3 layers, 6 heads that read 2 key-value heads of 8, d_model 48, d_mlp 88
LAYERS, HEADS, KV_HEADS, D_HEAD, D_MODEL, D_MLP = 3, 6, 2, 8, 48, 88
PROMPTS = [[5, 7, 9, 2, 5, 11, 3], [8, 1, 4, 4, 6], [9, 9, 2, 0, 7, 3, 1]]
HOOKS = "resid_pre,resid_post,mlp_out,z,q,k,v,result,k_input,pattern,attn_scores,mlp_post,ln1_scale,embed"


@pytest.fixture(scope="module")
def ref(tmp_path_factory):
    """a cache of the three prompts"""
    path = tmp_path_factory.mktemp("sources") / "ref.h5"
    lines = path.with_suffix(".jsonl")
    fields = [{"who": 2, "donor": 1}, {"who": [0, 3]}, {"who": -1}]
    lines.write_text("".join(json.dumps({"ids": ids, **more}) + "\n" for ids, more in zip(PROMPTS, fields)))
    cache.weir("dump", "-m", MODEL, "-f", lines, "--hooks", HOOKS, "-o", path)
    return cache.Cache(path)


def ask(folder, edit, prompts=PROMPTS, model=MODEL):
    """prompts: ids, ids and the fields of their line, or what source_cli is given"""
    words = [p if isinstance(p, str) else ",".join(map(str, p[0])) + "=" + json.dumps(p[1]) if isinstance(p, tuple) else ",".join(map(str, p)) for p in prompts]
    return subprocess.run([CLI, model, edit, *words], capture_output=True, text=True, cwd=folder)


class Box:
    def __init__(self, line):
        self.__dict__ |= json.loads(line)
        inner = len(self.numbers) // (len(self.rows) * max(len(self.units), 1))
        shape = [len(self.rows)] + ([len(self.units)] if self.units else []) + ([inner] if inner > 1 or self.keys else [])
        self.numbers = np.array(self.numbers, np.float32).reshape(shape)


def boxes(folder, edit, **options):
    done = ask(folder, edit, **options)
    assert done.returncode == 0, done.stderr
    return [Box(line) for line in done.stdout.splitlines()]


def folder_of(ref):
    return Path(ref.file.filename).parent


def same(numbers, expected):
    """to the last bit of float32"""
    expected = np.broadcast_to(np.asarray(expected, np.float64).astype(np.float32), numbers.shape)
    np.testing.assert_array_equal(numbers, expected)


def about(numbers, expected):
    """sums in another order"""
    expected = np.broadcast_to(np.asarray(expected, np.float64), numbers.shape)
    np.testing.assert_allclose(numbers, expected, rtol=2e-7, atol=1e-10)


# ---- places of a cache -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("select, point, unit", [("resid_pre:1", "resid_pre", None), ("z:1.3", "z", 3), ("k:2.1", "k", 1),
                                                 ("mlp_post:0.5+80", "mlp_post", [5, 80]), ("ln1_scale:2", "ln1_scale", None),
                                                 ("embed", "embed", None), ("resid_post:1.7", "resid_post", [7])])
def test_what_a_place_leaves_out_is_the_targets_own(ref, select, point, unit):
    found = boxes(folder_of(ref), f"{select} = ref.h5[]")
    assert len(found) == len(PROMPTS)
    for box in found:
        value = ref(point, None if box.layer < 0 else box.layer, box.prompt)
        value = value if unit is None else value[:, [unit] if isinstance(unit, int) else unit]
        same(box.numbers, value)


def test_every_layer_reads_its_own(ref):
    found = boxes(folder_of(ref), "z = ref.h5[]")
    assert [(b.layer, b.prompt) for b in found] == [(layer, p) for layer in range(LAYERS) for p in range(3)]
    for box in found:
        same(box.numbers, ref("z", box.layer, box.prompt))


def test_a_pattern_reads_head_query_and_key(ref):
    box, = boxes(folder_of(ref), "pattern:1.2+4@3:6/1:3#0 = ref.h5[]")
    same(box.numbers, ref("pattern", 1, 0)[[2, 4]][:, 3:6, 1:3].transpose(1, 0, 2))


def test_masked_scores_are_what_the_cache_has(ref):
    box, = boxes(folder_of(ref), "attn_scores:1#1 = ref.h5[]")
    same(box.numbers, ref("attn_scores", 1, 1).transpose(1, 0, 2))
    assert np.isneginf(box.numbers[0, 0, 1])


def test_a_key_that_is_named_serves_all_keys(ref):
    box, = boxes(folder_of(ref), "pattern:1.2@3#0 = ref.h5[/1]")
    same(box.numbers, ref("pattern", 1, 0)[2, 3, 1])


def test_one_layer_position_and_prompt_serve_all(ref):
    found = boxes(folder_of(ref), "resid_post:0:2@-1,resid_post:0:2@1 = ref.h5[:2@4#0]")
    assert len(found) == 2 * 3
    for box in found:
        assert box.steps[0] == 0
        same(box.numbers, ref("resid_post", 2, 0)[4])


def test_as_many_are_paired_in_order(ref):
    folder = folder_of(ref)
    for box in boxes(folder, "resid_pre:0+2@1:4#0 = ref.h5[:1+2@2:5]"):
        same(box.numbers, ref("resid_pre", {0: 1, 2: 2}[box.layer], 0)[2:5])
    for box in boxes(folder, "z:1.0+5#0::2 = ref.h5[:1.2+3#0+2]"):
        same(box.numbers, ref("z", 1, {0: 0, 2: 2}[box.prompt])[:, [2, 3]])


def test_positions_are_paired_in_the_order_in_which_the_edit_names_them(ref):
    box, = boxes(folder_of(ref), "resid_pre:0@5+1+3#0 = ref.h5[@0+2+4]")
    assert box.rows == [1, 3, 5]
    same(box.numbers, ref("resid_pre", 0, 0)[[2, 4, 0]])
    box, = boxes(folder_of(ref), "resid_pre:0@1+3+5#0 = ref.h5[@4+0+2]")
    same(box.numbers, ref("resid_pre", 0, 0)[[4, 0, 2]])


def test_another_point_of_the_same_width_serves(ref):
    folder = folder_of(ref)
    for box in boxes(folder, "resid_post:1 = ref.h5[result:0.4]"):
        same(box.numbers, ref("result", 0, box.prompt)[:, 4])
    for box in boxes(folder, "q_input:1.2+5 = ref.h5[mlp_out:0]"):
        same(box.numbers, ref("mlp_out", 0, box.prompt)[:, None])
    for box in boxes(folder, "q_input:1.2:4 = ref.h5[result:0]"):
        same(box.numbers, ref("result", 0, box.prompt)[:, 2:4])
    for box in boxes(folder, "resid_post:1.3+9 = ref.h5[mlp_out:0]"):
        same(box.numbers, ref("mlp_out", 0, box.prompt)[:, [3, 9]])
    for box in boxes(folder, "resid_post:1 = ref.h5[mlp_post:0.80]"):
        same(box.numbers, ref("mlp_post", 0, box.prompt)[:, [80]])


def test_query_heads_read_what_they_have_or_the_key_value_head_that_they_read(ref):
    folder = folder_of(ref)
    for box in boxes(folder, "v:1.h1+5 = ref.h5[]"):
        assert box.units == [1, 5]
        same(box.numbers, ref("v", 1, box.prompt)[:, [0, 1]])
    for box in boxes(folder, "k_input:1.h1+5 = ref.h5[result:0]"):
        same(box.numbers, ref("result", 0, box.prompt)[:, [1, 5]])
    for box in boxes(folder, "z:1.4 = ref.h5[v:1.h4]"):
        same(box.numbers, ref("v", 1, box.prompt)[:, [1]])


def test_the_neurons_of_chosen_experts_and_their_routers_are_read(tmp_path):
    model = FIXTURES / "mixtral"
    found = cache.dump(tmp_path / "ref.h5", model, PROMPTS, "expert_post,router,expert_indices")
    for point in "expert_post", "router", "expert_indices":
        for box in boxes(tmp_path, f"{point}:1 = ref.h5[]", model=model):
            same(box.numbers.ravel(), found(point, 1, box.prompt).ravel())


def test_taken_away_cells_leave_the_others_their_numbers(ref):
    found = boxes(folder_of(ref), "z:1#0,-z:1.3@2 = ref.h5[]")
    assert len(found) > 1 and sum(len(b.rows) * len(b.units) for b in found) == 7 * 6 - 1
    for box in found:
        same(box.numbers, ref("z", 1, 0)[box.rows][:, box.units])


def test_a_field_gives_the_number_of_a_prompt(ref):
    found = boxes(folder_of(ref), "z:1@0 = ref.h5[#donor]", prompts=[([1, 2], {"donor": 2}), ([3, 4, 5], {"donor": 0})])
    for box, donor in zip(found, (2, 0)):
        same(box.numbers, ref("z", 1, donor)[[0]])


def test_positions_are_fields_of_the_caches_own_prompts(ref):
    found = boxes(folder_of(ref), "resid_pre:1@0 = ref.h5[@who[-1]]")
    for box, position in zip(found, (2, 3, 6)):
        same(box.numbers, ref("resid_pre", 1, box.prompt)[[position]])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """a cache of two lines, whose prompts stand as corrupt 0, clean 0, corrupt 1, clean 1"""
    path = tmp_path_factory.mktemp("pairs") / "pairs.h5"
    lines = path.with_suffix(".jsonl")
    where = {"corrupt": 2, "clean": 1}
    lines.write_text("".join(json.dumps({"corrupt": a, "clean": b, "where": where}) + "\n" for a, b in
                             (([1, 2, 3], [4, 5, 6]), ([7, 8, 9], [10, 11, 12]))))
    cache.weir("dump", "-m", MODEL, "-f", lines, "--side", "corrupt", "--side", "clean", "--hooks", "z", "-o", path)
    return cache.Cache(path)


def test_a_side_is_that_of_the_same_line(pairs):
    found = boxes(folder_of(pairs), "z:1 = pairs.h5[#clean]", prompts=["1,2,3#sent#1", "1,2,3#sent#0"])
    for box, number in zip(found, (3, 1)):
        same(box.numbers, pairs("z", 1, number))
    found = boxes(folder_of(pairs), "z:1@0 = pairs.h5[@where#clean]", prompts=["1#sent#1"])
    same(found[0].numbers, pairs("z", 1, 3)[[1]])


def test_a_mean_over_a_side_is_of_all_its_prompts(pairs):
    for box in boxes(folder_of(pairs), "z:1 = mean(pairs.h5[@:#clean])", prompts=[[1, 2, 3], [4]]):
        about(box.numbers, np.concatenate([pairs("z", 1, 1), pairs("z", 1, 3)]).mean(0))


def test_a_side_that_a_line_does_not_have_is_refused(pairs):
    for prompts, says in (["1,2,3#sent#2"], "has no side 'clean' of line 2"), ([[1, 2, 3]], "is no side of a line of pairs"):
        refuses(folder_of(pairs), "z:1 = pairs.h5[#clean]", says, "pairs.h5", prompts=prompts)


# ---- means -----------------------------------------------------------------------------------------------------------

def test_a_mean_over_prompts_is_per_position_and_of_those_that_have_it(ref):
    for box in boxes(folder_of(ref), "z:1.3 = mean(ref.h5[#:])"):
        for row, numbers in zip(box.rows, box.numbers):
            values = [ref("z", 1, p)[row, 3] for p in range(3) if row < len(PROMPTS[p])]
            about(numbers[0], np.mean(values, axis=0))


@pytest.mark.parametrize("place, expected", [
    ("@:#:", lambda ref: np.concatenate([ref("z", 1, p)[:, 3] for p in range(3)]).mean(0)),
    ("@-1#:", lambda ref: np.mean([ref("z", 1, p)[-1, 3] for p in range(3)], axis=0)),
    ("@1:#0:2", lambda ref: np.concatenate([ref("z", 1, p)[1:, 3] for p in range(2)]).mean(0)),
    (":1.:@:#:", lambda ref: np.concatenate([ref("z", 1, p) for p in range(3)]).mean((0, 1))),
    (":0:2@0#:", lambda ref: np.mean([ref("z", layer, p)[0, 3] for layer in range(2) for p in range(3)], axis=0)),
])
def test_a_mean_is_over_the_axes_that_are_written(ref, place, expected):
    for box in boxes(folder_of(ref), f"z:1.3 = mean(ref.h5[{place}])"):
        assert box.steps[0] == 0
        about(box.numbers, expected(ref))


def test_a_mean_without_prompts_is_of_the_targets_own(ref):
    for box in boxes(folder_of(ref), "resid_pre:1 = mean(ref.h5[@:])"):
        about(box.numbers, ref("resid_pre", 1, box.prompt).mean(0))


def test_a_mean_of_one_head_serves_the_stream(ref):
    found = boxes(folder_of(ref), "resid_post:2@-1 += mean(ref.h5[result:1.4@-1#:])")
    for box in found:
        about(box.numbers, np.mean([ref("result", 1, p)[-1, 4] for p in range(3)], axis=0))


def test_a_mean_over_keys_counts_every_key_once(ref):
    box, = boxes(folder_of(ref), "pattern:1.2@3#0 = mean(ref.h5[@3/:#:])")
    about(box.numbers, np.concatenate([ref("pattern", 1, p)[2, 3] for p in range(3)]).mean())


# ---- chance ----------------------------------------------------------------------------------------------------------

M = 2 ** 64 - 1


def mix(x):
    x = (x + 0x9e3779b97f4a7c15) & M
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & M
    x = (x ^ x >> 27) * 0x94d049bb133111eb & M
    return x ^ x >> 31


def fold(key, *numbers):
    for n in numbers:
        key = mix(key ^ n)
    return key


def name(text):
    h = 0xcbf29ce484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001b3 & M
    return h


def normal(key, i):
    u, v = ((fold(key, 2 * i) >> 11) + 1) / 2 ** 53, (fold(key, 2 * i + 1) >> 11) / 2 ** 53
    return math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)


def below(key, n):
    return mix(key) * n >> 64


@pytest.mark.parametrize("select, heads, columns", [("embed@1:3", False, True), ("z:1.2+4", True, D_HEAD), ("mlp_post:2.7+9", False, True),
                                                    ("pattern:1.3@2+4/0:2", True, "keys"), ("ln1_scale:0", False, False)])
def test_noise_is_what_the_formulas_give(tmp_path, select, heads, columns):
    for box in boxes(tmp_path, f"{select} += noise(0.3, 41)"):
        for at in np.ndindex(box.numbers.shape):
            row = box.rows[at[0]]
            head = box.units[at[1]] if heads else 0
            column = 0 if not columns else box.units[at[1]] if columns is True else box.keys[at[2]] if columns == "keys" else at[2]
            key = fold(mix(41), name(box.point), box.layer + 1, box.prompt, row, head)
            expected = np.float32(0.3 * normal(key, column))
            assert abs(box.numbers[at] - expected) <= np.spacing(abs(expected)), at


def test_noise_does_not_depend_on_what_else_is_edited(tmp_path):
    whole, = boxes(tmp_path, "embed#1 += noise(1, 5)")
    some, = boxes(tmp_path, "embed:.3+40@2+4#1 += noise(1, 5)")
    np.testing.assert_array_equal(some.numbers, whole.numbers[[2, 4]][:, [3, 40]])


@pytest.mark.parametrize("point", ["q", "k", "v", "z"])
def test_a_donor_is_drawn_by_seed_and_prompt_whatever_the_point(ref, point):
    donors = [below(fold(7, prompt), 3) for prompt in range(6)]
    assert len(set(donors)) > 1
    for box in boxes(folder_of(ref), f"{point}:1@:5 = resample(ref.h5[#:], 7)", prompts=[[1, 2, 3, 4, 5]] * 6):
        same(box.numbers, ref(point, 1, donors[box.prompt])[:5])


def test_a_donor_position_and_head_are_drawn_apart_from_the_prompt(ref):
    for box in boxes(folder_of(ref), "z:1.0 = resample(ref.h5[:1.:@:#:], 3)", prompts=[[1, 2, 3]] * 5):
        donor, head = below(fold(3, box.prompt), 3), below(fold(3, box.prompt, 2), HEADS)
        position = below(fold(3, box.prompt, 3), len(PROMPTS[donor]))
        assert box.steps[0] == 0
        same(box.numbers, ref("z", 1, donor)[position, head])


# ---- arrays ----------------------------------------------------------------------------------------------------------

def count(*shape):
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape) / 8


def write_safetensors(path, arrays):
    header, data = {}, b""
    for key, array in arrays.items():
        header[key] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def write_vector(path, layers, width=D_MODEL, architecture="controlvector"):
    import gguf
    writer = gguf.GGUFWriter(path, architecture)
    for layer in layers:
        writer.add_tensor(f"direction.{layer}", count(width) + layer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("file", ["v.npy", "v.npz", "packed.npz", "pair.npz:v", "v.safetensors", "wrong_ending.txt"])
def test_a_vector_of_any_format_serves_every_position(tmp_path, file):
    v = count(D_MODEL)
    np.save(tmp_path / "v.npy", v)
    np.savez(tmp_path / "v.npz", v=v)
    np.savez_compressed(tmp_path / "packed.npz", v=v)
    np.savez(tmp_path / "pair.npz", v=v, w=v + 1)
    write_safetensors(tmp_path / "v.safetensors", {"v": v})
    (tmp_path / "wrong_ending.txt").write_bytes((tmp_path / "v.npy").read_bytes())
    for box in boxes(tmp_path, f"resid_post:1 += {file}"):
        assert box.steps == [0, 1, 0]
        same(box.numbers, v)


def test_float64_and_float16_are_read(tmp_path):
    for dtype in "<f8", "<f2":
        np.save(tmp_path / "v.npy", count(D_MODEL).astype(dtype))
        for box in boxes(tmp_path, "resid_post:1 += 2 * v.npy"):      # the factor is the edit's, not in the numbers
            same(box.numbers, count(D_MODEL))


def test_a_control_vector_serves_each_layer_with_its_direction(tmp_path):
    write_vector(tmp_path / "happy.gguf", (1, 2))
    for box in boxes(tmp_path, "resid_post:1:3@-1 += 1.5 * happy.gguf"):
        same(box.numbers, count(D_MODEL) + box.layer)
    for box in boxes(tmp_path, "resid_post:0 += happy.gguf:direction.2"):
        same(box.numbers, count(D_MODEL) + 2)


FITS = [   # selection, shape, what of the array a box of layer, prompt has
    ("resid_pre:1@1:4#0", (3, D_MODEL), lambda a, layer, prompt: a),
    ("resid_pre:0+2", (2, D_MODEL), lambda a, layer, prompt: a[layer // 2]),
    ("resid_pre:1@0", (3, D_MODEL), lambda a, layer, prompt: a[prompt]),
    ("resid_pre:1@0#::2", (2, D_MODEL), lambda a, layer, prompt: a[prompt // 2]),
    ("resid_pre:0+2@1:5#0", (2, 4, D_MODEL), lambda a, layer, prompt: a[layer // 2]),
    ("z:1", (HEADS, D_HEAD), lambda a, layer, prompt: a),
    ("z:1.1+4", (2, D_HEAD), lambda a, layer, prompt: a),
    ("z:1.1+4", (HEADS, D_HEAD), lambda a, layer, prompt: a[[1, 4]]),
    ("z:1@:2", (2, HEADS, D_HEAD), lambda a, layer, prompt: a),
    ("z:1@:6#0", (1, HEADS, D_HEAD), lambda a, layer, prompt: a),
    ("z:1@:6#0", (6, 1, D_HEAD), lambda a, layer, prompt: a),
    ("z:1", (1, 1, 1), lambda a, layer, prompt: a),
    ("z:1", (), lambda a, layer, prompt: a),
    ("mlp_post:1.5+9", (D_MLP,), lambda a, layer, prompt: a[[5, 9]]),
    ("mlp_post:1.5+9", (2,), lambda a, layer, prompt: a),
    ("pattern:1.2@1:5#0", (7,), lambda a, layer, prompt: a),
    ("pattern:1.2@1:5#0", (4, 7), lambda a, layer, prompt: a[:, None]),
    ("pattern:1@1:5/0:2#0", (HEADS, 4, 2), lambda a, layer, prompt: a.transpose(1, 0, 2)),
    ("ln1_scale:1@1:5#0", (4,), lambda a, layer, prompt: a),
    ("k_input:1.h1+5", (HEADS, D_MODEL), lambda a, layer, prompt: a[[1, 5]]),
]


@pytest.mark.parametrize("select, shape, of", FITS)
def test_an_array_is_fitted_by_the_sizes_of_its_axes(tmp_path, select, shape, of):
    np.save(tmp_path / "a.npy", count(*shape))
    for box in boxes(tmp_path, f"{select} = a.npy"):
        same(box.numbers, of(count(*shape), box.layer, box.prompt))


def test_rows_are_paired_in_the_order_in_which_the_edit_names_them(tmp_path):
    np.save(tmp_path / "a.npy", count(3, D_MODEL))
    box, = boxes(tmp_path, "resid_pre:0@5+1+3#0 = a.npy")
    same(box.numbers, count(3, D_MODEL)[[1, 2, 0]])


# ---- refusals --------------------------------------------------------------------------------------------------------

def refuses(folder, edit, says, at=None, **options):
    """at: the text that the message points to"""
    done = ask(folder, edit, **options)
    assert done.returncode in (2, 3, 4) and not done.stdout, (done.returncode, done.stdout, done.stderr)
    message = done.stderr
    assert message.count("\n") == 1 and all(word in message for word in [says] if word), message
    assert f"character {edit.index(at) + 1}" in message, message


@pytest.mark.parametrize("select, shape, says", [
    ("resid_pre:1", (47,), "[47]: its last axis must have the 48 of resid_pre (d_model)"),
    ("z:1", (HEADS,), "[6]: its last axis must have the 8 of z (d_head)"),
    ("resid_pre:1@:4#0", (5, D_MODEL), "[5, 48], which does not fit what is changed of resid_pre: 4 positions, 48 d_model"),
    ("z:1@:6#0", (6, D_HEAD), "its 6 fit both the positions and the heads"),
    ("resid_pre:0:3@:3#1", (3, D_MODEL), "its 3 fit both the layers and the positions"),
    ("resid_pre:1", (7, D_MODEL), "does not fit what is changed of resid_pre: 3 prompts, 5 positions"),
    ("z:1.3", (HEADS, D_HEAD), "does not fit"),
    ("resid_pre:1", (0,), "is empty"),
])
def test_an_array_that_fits_in_no_way_or_in_two_is_refused(tmp_path, select, shape, says):
    np.save(tmp_path / "a.npy", count(*shape))
    refuses(tmp_path, f"{select} = a.npy", says, "a.npy")


@pytest.mark.parametrize("value, select, says", [(np.nan, "resid_pre:1", "[1, 5] is NaN"), (np.inf, "resid_pre:1", "infinite"),
                                                 (-np.inf, "resid_pre:1", "infinite")])
def test_a_number_that_is_not_finite_is_refused_where_it_is(tmp_path, value, select, says):
    array = count(2, D_MODEL)
    array[1, 5] = value
    np.save(tmp_path / "a.npy", array)
    refuses(tmp_path, f"{select}@0:2 = a.npy", says, "a.npy")


def test_minus_infinity_may_be_a_score(tmp_path):
    np.save(tmp_path / "a.npy", np.array([0, -np.inf], np.float32))
    box, = boxes(tmp_path, "attn_scores:1.2@3/0:2#0 = a.npy")
    assert np.isneginf(box.numbers[..., 1]).all()


def test_files_that_are_not_there_or_have_no_such_array_are_refused(tmp_path):
    np.savez(tmp_path / "two.npz", a=count(D_MODEL), b=count(D_MODEL))
    write_vector(tmp_path / "happy.gguf", (1, 2))
    for source, says in {"none.npy": "none.npy", "two.npz": "it has a, b", "two.npz:c": 'no array "c"',
                         "happy.gguf": "no direction.0 for layer 0"}.items():
        refuses(tmp_path, f"resid_pre:0 = {source}", says, source)
    refuses(tmp_path, "embed = happy.gguf", "outside the layers", "happy.gguf")


CACHE_REFUSALS = [
    ("z:1 = ref.h5[:9]", "9", "ref.h5"),
    ("z:1 = ref.h5[#3]", "3", "ref.h5"),
    ("z:1.1+2+3 = ref.h5[:1.1+2]", "names 2 heads for 3 that are changed", "ref.h5"),
    ("z:0+1 = ref.h5[:0+1+2]", "names 3 layers for 2 that are changed", "ref.h5"),
    ("z:1@:4 = ref.h5[@:3]", "names 3 positions for 4 that are changed", "ref.h5"),
    ("z:1 = ref.h5[#0:2]", "names 2 prompts for 3 that are changed", "ref.h5"),
    ("z:1 = ref.h5[#donor]", "no side 'donor' on its line, and no field of that name", "ref.h5"),
    ("z:1@6#0 = ref.h5[#1]", "prompt 1 of ref.h5 has no position 6: it has 5 tokens", "ref.h5"),
    ("z:1@6#0 = ref.h5[@7]", "7", "ref.h5"),
    ("resid_pre:1 = ref.h5[z:1.0]", "z has rows of 8 numbers (d_head), resid_pre of 48 (d_model)", "ref.h5"),
    ("resid_pre:1 = ref.h5[result:1]", "name one, as in [result:5.0]", "ref.h5"),
    ("z:1 = ref.h5[v:1]", "v has 2 heads, z has 6", "ref.h5"),
    ("z:1 = ref.h5[pattern:1]", "pattern has keys", "ref.h5"),
    ("embed = ref.h5[resid_pre]", "name a layer of resid_pre", "ref.h5"),
    ("rot_q:1 = ref.h5[]", "ref.h5 does not store rot_q; it has", "ref.h5"),
    ("z:1 = mean(ref.h5[@9#:])", "9", "mean"),
    ("attn_scores:1 = mean(ref.h5[@:#:])", "masked", "mean"),
    ("z:1@5:#0 = resample(ref.h5[#1], 3)", "no position 5", "resample"),
]


@pytest.mark.parametrize("edit, says, at", CACHE_REFUSALS)
def test_a_place_that_the_cache_does_not_have_or_that_does_not_fit_is_refused(ref, edit, says, at):
    refuses(folder_of(ref), edit, says, at)


def test_a_prompt_more_than_the_cache_has_is_refused(ref):
    refuses(folder_of(ref), "z:1@0 = ref.h5[]", "prompt 3 is changed, and ref.h5 has 3", "ref.h5", prompts=[[1]] * 4)


def test_what_a_cache_does_not_store_is_refused_where_it_is(ref):
    folder = folder_of(ref)
    cache.dump(folder / "part.h5", MODEL, PROMPTS, "z:1.3@1:,resid_pre:1", positions="1:")
    for edit, says in {"z:1.3@0 = part.h5[]": "does not store position 0 of prompt 0",
                       "z:1.4@1 = part.h5[]": "does not store z:1.4 at position 1 of prompt 0",
                       "z:2.3@1 = part.h5[]": "does not store z in layer 2",
                       "z:1.3 = mean(part.h5[#:])": "does not store position 0"}.items():
        refuses(folder, edit, says, edit[edit.index("= ") + 2:])
    for box in boxes(folder, "z:1.3@2: = part.h5[]"):
        same(box.numbers, ref("z", 1, box.prompt)[2:, [3]])


def test_a_cache_of_another_model_is_refused_and_another_name_noted(ref, tmp_path):
    import shutil
    refuses(folder_of(ref), "z:1 = ref.h5[]", "is of another model", "ref.h5", model=FIXTURES / "llama3_rope")
    shutil.copytree(MODEL, tmp_path / "renamed")
    shutil.copy(ref.file.filename, tmp_path / "ref.h5")
    done = ask(tmp_path, "z:1 = ref.h5[]", model=tmp_path / "renamed")
    assert done.returncode == 0 and "note: ref.h5 was made with the model llama, this is renamed" in done.stderr


def test_a_cache_that_lies_about_its_model_is_refused(ref, tmp_path):
    import h5py
    cache.dump(tmp_path / "one.h5", FIXTURES / "llama_one_layer", PROMPTS, "z")
    with h5py.File(tmp_path / "one.h5", "r+") as file:
        file.attrs["digest"] = ref.file.attrs["digest"]
    refuses(tmp_path, "z:2 = one.h5[]", "has 1 layers and the digest of a model of 3", "one.h5")


def test_a_nan_in_a_cache_is_refused_where_it_is(ref, tmp_path):
    import h5py
    import shutil
    shutil.copy(ref.file.filename, tmp_path / "ref.h5")
    with h5py.File(tmp_path / "ref.h5", "r+") as file:
        file["activations/z"][1, 0, 2, 3, 4] = np.nan
    refuses(tmp_path, "z:1.3 = ref.h5[]", "z:1.3 at position 2 of prompt 0 is NaN", "ref.h5")
    assert boxes(tmp_path, "z:1.2 = ref.h5[]")
