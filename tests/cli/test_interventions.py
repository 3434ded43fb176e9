"""Every line of docs/interventions.md is carried out as it stands there, and changes what it says it changes."""
import json
import re

import h5py
import numpy as np
import pytest
from gguf import GGUFWriter
from safetensors.numpy import save_file

from program import FIXTURES, ROOT, weir

ROWS = re.findall(r"^\| `([^`]+)` \| ", (ROOT / "docs/interventions.md").read_text().split("\n## Interventions of", 1)[1], re.M)
# lines that the document gives as one intervention
TOGETHER = [
    ("embed@subject#corrupt += noise(0.3, 1)", "resid_post:6@subject[-1]#corrupt = [#base]"),
    ("q_input:10.0#clean -= [result:9.9]", "q_input:10.0#clean += [result:9.9#corrupt]"),
    ("z#sent = [#clean]", "z:9.9#sent = [#corrupt]", "q:10.0#out = [#sent]"),
    ("resid_pre:6@1:4#0 += 5 * [#1]", "resid_pre:6@1:4#0 -= 5 * [#2]"),
]
EXPERTS = ("router", "expert")
NOTHING_ALONE = ("z#sent = [#clean]", "ln1_scale,ln2_scale,ln_final_scale = [#base]", "pattern = [#base]",
                 "resid_post:6@subject[-1]#corrupt = [#base]")
LAYERS, HEADS, KV_HEADS, WIDTH, NEURONS, VOCABULARY, LENGTH = 15, 16, 8, 448, 128, 64, 12
SIDES = ("--side", "clean", "--side", "corrupt", "--side", "sent=clean", "--side", "out=corrupt")


def save_llama(folder):
    """A random Llama deep and wide enough for the lines, with grouped queries."""
    random, head = np.random.default_rng(1), WIDTH // HEADS
    matrix = lambda out, into: (random.standard_normal((out, into)) / into ** 0.5).astype(np.float32)
    tensors = {"model.embed_tokens.weight": matrix(VOCABULARY, WIDTH) * 8, "model.norm.weight": np.ones(WIDTH, np.float32),
               "lm_head.weight": matrix(VOCABULARY, WIDTH)}
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        for name, (out, into) in {"q": (WIDTH, WIDTH), "k": (KV_HEADS * head, WIDTH), "v": (KV_HEADS * head, WIDTH),
                                  "o": (WIDTH, WIDTH)}.items():
            tensors[f"{at}self_attn.{name}_proj.weight"] = matrix(out, into)
        for name, (out, into) in {"gate": (NEURONS, WIDTH), "up": (NEURONS, WIDTH), "down": (WIDTH, NEURONS)}.items():
            tensors[f"{at}mlp.{name}_proj.weight"] = matrix(out, into)
        for name in "input_layernorm", "post_attention_layernorm":
            tensors[f"{at}{name}.weight"] = np.ones(WIDTH, np.float32)
    tensors["model.layers.4.mlp.gate_proj.weight"][100] *= 99  # a neuron with values above the limit that a line sets
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(dict(
        model_type="llama", architectures=["LlamaForCausalLM"], hidden_size=WIDTH, intermediate_size=NEURONS,
        num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, vocab_size=VOCABULARY,
        max_position_embeddings=64, rms_norm_eps=1e-5, hidden_act="silu", rope_theta=10000.0, tie_word_embeddings=False)))


def save_vectors(folder):
    random = np.random.default_rng(2)
    vector = lambda *shape: random.standard_normal(shape).astype(np.float32)
    for name in "love", "refusal", "unembed":
        np.save(folder / f"{name}.npy", vector(WIDTH))
    np.save(folder / "truth.npy", vector(WIDTH // HEADS))
    np.savez(folder / "das.npz", R=vector(3, WIDTH))
    np.savez(folder / "basis.npz", W=vector(2, WIDTH))
    for name in "caa", "happy":
        writer = GGUFWriter(folder / f"{name}.gguf", "controlvector")
        writer.add_string("controlvector.model_hint", "llama")
        for layer in range(1, LAYERS):
            writer.add_tensor(f"direction.{layer}", vector(WIDTH))
        writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()


def ids(random):
    return [int(i) for i in random.integers(0, VOCABULARY, LENGTH)]


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A folder with a model, pairs of prompts, plain prompts, and every file that a line names."""
    folder = tmp_path_factory.mktemp("interventions")
    random = np.random.default_rng(3)
    save_llama(folder / "m")
    save_vectors(folder)
    fields = dict(subject=[2, 3, 4], s2=7, ind=[[6, 3], [8, 5]])
    write_lines(folder / "pairs.jsonl", [dict(clean=ids(random), corrupt=ids(random), **fields) for _ in range(2)])
    write_lines(folder / "prompts.jsonl", [dict(ids=ids(random), **fields) for _ in range(3)])
    for name, hooks, n in ("ref", "z", 4), ("icl", "result:6.1", 10), ("src", "resid_post", 10):
        write_lines(folder / f"{name}.jsonl", [dict(ids=ids(random)) for _ in range(n)])
        made = weir(folder, "dump", "-m", "m", "-f", f"{name}.jsonl", "--hooks", hooks, "-o", f"{name}.h5")
        assert made.returncode == 0, made.stderr.decode()
    (folder / "mixtral").symlink_to(FIXTURES / "mixtral")      # for the lines that name experts
    return folder


def names_sides(lines):
    return any(f"#{side}" in line for line in lines for side in ("clean", "corrupt", "sent", "out"))


def logits(folder, lines, sided, model="m"):
    """The logits of all prompts after edits: both lines of pairs with their sides, or the plain prompts."""
    given = ("-f", "pairs.jsonl", *SIDES) if sided else ("-f", "prompts.jsonl")
    edits = [word for line in lines for word in ("--edit", line)]
    done = weir(folder, "dump", "-m", model, *given, "--hooks", "logits", "-o", "out.h5", "--force", *edits)
    assert done.returncode == 0, done.stderr.decode()
    with h5py.File(folder / "out.h5") as file:
        return file["activations/logits"][()]


def changes(folder, lines, model="m"):
    """True for each prompt whose logits the lines change."""
    before, after = (logits(folder, some, names_sides(lines), model) for some in ([], lines))
    assert np.isfinite(after).all()
    return [not np.array_equal(x, y) for x, y in zip(before, after)]


def test_the_document_has_at_least_thirty_lines():
    assert len(ROWS) >= 30 and all(line in ROWS for group in TOGETHER for line in group)


@pytest.mark.parametrize("line", [row for row in ROWS if not row.startswith(EXPERTS) and row not in NOTHING_ALONE])
def test_a_line_of_the_document_changes_the_prediction(bench, line):
    assert any(changes(bench, [line]))


@pytest.mark.parametrize("line", NOTHING_ALONE)
def test_what_stands_there_anyway_changes_no_bit(bench, line):
    assert not any(changes(bench, [line]))


@pytest.mark.parametrize("lines", TOGETHER, ids=lambda lines: lines[0])
def test_lines_that_belong_together_change_the_prediction(bench, lines):
    assert any(changes(bench, lines))


def test_path_patching_changes_the_last_copy_by_the_sender_only(bench):
    clean, corrupt, sent, out = (changes(bench, TOGETHER[2])[i] for i in range(4))
    assert (clean, corrupt, sent, out) == (False, False, True, True)


@pytest.mark.parametrize("line", [row for row in ROWS if row.startswith(EXPERTS)])
def test_a_line_of_experts_changes_the_prediction(bench, line):
    assert any(changes(bench, [line], "mixtral"))


def test_an_expert_is_forced(bench):
    line, = (row for row in ROWS if row.startswith("router"))
    assert all(changes(bench, [line], "mixtral"))


def test_a_file_of_a_model_of_another_name_is_noted(bench):
    (bench / "renamed").symlink_to(bench / "m")
    done = weir(bench, "run", "-m", "renamed", "-f", "ref.jsonl", "--edit", "z:5.3 = mean(ref.h5[#:])")
    assert done.returncode == 0
    assert done.stderr.decode() == "weir: note: ref.h5 was made with the model m, this is renamed: their sizes are the same\n"


def test_what_is_drawn_of_positions_is_the_same_in_a_run_and_in_a_file(bench):
    z = [logits(bench, [f"z:5.3 = resample({place}, 7)"], False) for place in ("[@:]", "own.h5[@:]")
         if weir(bench, "dump", "-m", "m", "-f", "prompts.jsonl", "--hooks", "z", "-o", "own.h5", "--force").returncode == 0]
    assert np.allclose(*z, atol=1e-6)
