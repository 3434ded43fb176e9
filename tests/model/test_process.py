"""Weight processing (dump --process): hook points are what TransformerLens's hooks see when it processes the same weights, and
the model predicts what it did before; what would change that is refused."""
import json

import h5py
import numpy as np
import pytest

import cache
import gguf_make
import prompts
import reference
from cache import FIXTURES
from configs import CONFIGS
from lens_processed import ALONE, FAMILIES, LENGTH, OPTIONS
from measure import BOUND, matches

MODELS = sorted(p.parent.name for p in FIXTURES.glob("*/config.json"))
SLOW = {name for name in MODELS if name in CONFIGS and CONFIGS[name]["family"] != name}   # a family's options: for --full
SAME = 1e-5   # log-probabilities, by the oracle's measure


def dump(out, model, process=None, hooks="*"):
    return cache.dump(out, model, [prompts.tokens(LENGTH)], hooks, **({"process": process} if process else {}))


def logprobs(run):
    x = run("logits") - run("logits").max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def done(run):
    return str(run.file.attrs.get("process", ""))


@pytest.mark.parametrize("family,option", [(f, o) for f in FAMILIES for o in ("tl", *(OPTIONS if f in ALONE else ()))])
def test_hook_points_of_a_processed_model_are_transformer_lenss(tmp_path, family, option):
    expected = FIXTURES / family / f"processed_{option}.h5"
    with h5py.File(expected) as file:
        assert file.attrs["kept"] < 1e-5, "TransformerLens itself changed what the model predicts"
    matches(dump(tmp_path / "x.h5", FIXTURES / family, option), expected)


@pytest.mark.parametrize("model", [pytest.param(m, marks=pytest.mark.slow if m in SLOW else ()) for m in MODELS])
def test_a_processed_model_predicts_what_it_did_before(tmp_path, model):
    """with all that holds for it, and with each option by itself"""
    plain = logprobs(dump(tmp_path / "plain.h5", FIXTURES / model, hooks="logits"))
    holds = done(run := dump(tmp_path / "tl.h5", FIXTURES / model, "tl", "logits")).split(",")
    runs = {"tl": run} | {name: dump(tmp_path / f"{name}.h5", FIXTURES / model, name, "logits") for name in holds}
    for name, run in runs.items():
        error = reference.error(logprobs(run)[None], plain[None])
        assert error <= SAME, f"{name}: log-probabilities differ by {error:.1e}"
        assert reference.error(run("logits")[None], logprobs(run)[None]) > SAME   # logits and log-probabilities are not the same
    for name in set(OPTIONS) - set(holds):
        refused = cache.weir("dump", "-m", FIXTURES / model, "--tokens", "1", "--process", name, "-o", tmp_path / "no.h5", check=False)
        assert refused.returncode == 4 and f"{name} does not hold for this model: " in refused.stderr


REFUSED = [
    ("llama", "center_writing_weights", "RMS norms"),
    ("gemma2", "center_unembed", "soft-capped"),
    ("gemma2", "center_writing_weights", "RMS norms"),
    ("olmo2", "fold_ln", "post-norm"),
    ("olmo2", "center_writing_weights", "without a norm"),
    ("bloom", "center_writing_weights", "its embedding is normed"),
    ("gpt_oss", "fold_value_biases", "attention sinks"),
    ("lens_attn_only", "fold_ln", "positions"),
    ("lens_shortformer", "fold_ln", "no norms"),
]


@pytest.mark.parametrize("model,option,reason", REFUSED)
def test_what_would_change_predictions_is_refused_with_the_reason_and_left_out_of_tl(tmp_path, model, option, reason):
    args = ["dump", "-m", FIXTURES / model, "--tokens", "1,2", "--hooks", "resid_post", "-o", tmp_path / "x.h5"]
    refused = cache.weir(*args, "--process", option, check=False)
    assert refused.returncode == 4 and reason in refused.stderr and refused.stderr.count("\n") == 1
    assert not (tmp_path / "x.h5").exists()
    allowed = cache.weir(*args, "--process", "tl")
    assert f"{option} is left out of the processing of weights: " in allowed.stderr
    assert option not in done(cache.Cache(tmp_path / "x.h5"))


def test_value_biases_are_not_folded_where_values_are_clipped_after_them(tmp_path):
    config, tensors = cache.config(FIXTURES / "olmo_clipped"), cache.weights(FIXTURES / "olmo_clipped")
    assert done(dump(tmp_path / "x.h5", FIXTURES / "olmo_clipped", "fold_value_biases"))     # there are none to fold
    tensors |= {name.replace("weight", "bias"): np.full(x.shape[0], 0.5, "f4") for name, x in tensors.items() if "_proj" in name and "attn" in name}
    (tmp_path / "config.json").write_text(json.dumps(config | dict(attention_bias=True)))
    cache.write_weights(tmp_path, tensors)
    assert dump(tmp_path / "y.h5", tmp_path, hooks="v")
    refused = cache.weir("dump", "-m", tmp_path, "--tokens", "1", "--process", "fold_value_biases", "-o", tmp_path / "z.h5", check=False)
    assert refused.returncode == 4 and "its values are clipped after their bias" in refused.stderr


@pytest.mark.parametrize("model", ["llama", "gpt2", "bloom", "phi3", "mixtral"])
def test_a_processed_gguf_file_computes_what_its_processed_folder_does(tmp_path, model):
    """where its matrices stand otherwise: rows of q and k in pairs, fused, other types"""
    gguf = gguf_make.convert(FIXTURES / model, tmp_path / "model.gguf")
    a, b = dump(tmp_path / "a.h5", FIXTURES / model, "tl"), dump(tmp_path / "b.h5", gguf, "tl")
    assert done(a) == done(b)
    for name in a.names:
        for layer in a.layers(name):
            assert reference.error(a(name, layer)[None], b(name, layer)[None]) < SAME, (name, layer)


@pytest.mark.parametrize("model", ["gpt2", "llama", "gpt_neox", "gemma2", "phimoe", "lens_solu"])
def test_folded_norms_have_no_weights(tmp_path, model):
    run = dump(tmp_path / "x.h5", FIXTURES / model, "fold_ln")
    for norm in {name[:-4] for name in run.names if name.endswith("_out")} & {"ln1", "ln2", "ln_final"}:
        for layer in run.layers(f"{norm}_out"):
            assert np.array_equal(run(f"{norm}_out", layer), run(f"{norm}_normalized", layer))


@pytest.mark.parametrize("model", ["gpt2", "gpt_neox", "phimoe", "falcon", "lens_solu"])
def test_what_centred_weights_write_has_no_mean(tmp_path, model):
    plain, run = dump(tmp_path / "p.h5", FIXTURES / model), dump(tmp_path / "x.h5", FIXTURES / model, "center_writing_weights")
    for point in set(run.names) & {"embed", "pos_embed", "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"}:
        for layer in run.layers(point):
            mean = lambda r: np.abs(r(point, layer).mean(-1)).max() / np.abs(r(point, layer)).max()
            assert mean(run) < 1e-6 < 1e-3 < mean(plain), (point, layer)


@pytest.mark.parametrize("model", ["gpt2", "llama", "gptj", "qwen2_tied"])
def test_logits_of_a_centred_unembedding_have_no_mean(tmp_path, model):
    plain, run = (dump(tmp_path / f"{i}.h5", FIXTURES / model, p, "logits") for i, p in enumerate((None, "center_unembed")))
    assert np.abs(run("logits").mean(-1)).max() < 1e-5
    assert np.allclose(run("logits"), plain("logits") - plain("logits").mean(-1, keepdims=True), atol=2e-5)


@pytest.mark.parametrize("model", ["gpt2", "qwen2"])
def test_folded_value_biases_leave_the_values_and_are_in_attn_out(tmp_path, model):
    plain, run = (dump(tmp_path / f"{i}.h5", FIXTURES / model, p) for i, p in enumerate((None, "fold_value_biases")))
    for layer in run.layers("v"):
        bias = plain("v", layer) - run("v", layer)
        assert np.abs(bias - bias[0]).max() < 2e-5 < 1e-2 < np.abs(bias).max()   # the same at all positions
        assert reference.error(run("attn_out", layer)[None], plain("attn_out", layer)[None]) < BOUND


def test_processing_in_any_order_and_twice_is_the_same_and_kept_in_the_file(tmp_path):
    names = "center_unembed,fold_ln,center_unembed"
    a, b = dump(tmp_path / "a.h5", FIXTURES / "gpt2", names), dump(tmp_path / "b.h5", FIXTURES / "gpt2", "fold_ln,center_unembed")
    assert done(a) == done(b) == "fold_ln,center_unembed"
    assert a.file.attrs["digest"] == b.file.attrs["digest"]
    assert all(np.array_equal(a(name, layer), b(name, layer)) for name in a.names for layer in a.layers(name))
    assert cache.weir("validate", tmp_path / "a.h5").stdout.endswith(": valid\n")
    assert "process      fold_ln,center_unembed\n" in cache.weir("info", tmp_path / "a.h5").stdout


def test_a_processed_dump_is_not_taken_for_a_plain_one(tmp_path):
    plain, run = dump(tmp_path / "a.h5", FIXTURES / "gpt2"), dump(tmp_path / "b.h5", FIXTURES / "gpt2", "tl")
    assert plain.file.attrs["digest"] != run.file.attrs["digest"] and "process" not in plain.file.attrs
    differ = cache.weir("diff", tmp_path / "a.h5", tmp_path / "b.h5", check=False)
    assert differ.returncode == 1 and f"not in the first file, {done(run)} in the second" in differ.stderr
    assert cache.weir("diff", tmp_path / "b.h5", tmp_path / "b.h5").stderr == ""


@pytest.mark.parametrize("text", ["fold", "fold_ln,", "", "fold_ln,tl", "FOLD_LN", "fold_ln, center_unembed"])
def test_a_name_that_is_no_processing_is_refused(tmp_path, text):
    refused = cache.weir("dump", "-m", FIXTURES / "gpt2", "--tokens", "1", "--process", text, "-o", tmp_path / "x.h5", check=False)
    assert refused.returncode == 2 and "is not a way to process weights" in refused.stderr


def test_validate_finds_a_list_of_processing_that_nothing_wrote(tmp_path):
    for text in ("fold", "center_unembed,fold_ln", "fold_ln,fold_ln"):
        with h5py.File(dump(tmp_path / "x.h5", FIXTURES / "gpt2", hooks="embed").file.filename, "r+") as file:
            file.attrs["process"] = text
        found = cache.weir("validate", tmp_path / "x.h5", check=False)
        assert found.returncode == 1 and "process must list ways to process weights" in found.stdout
        (tmp_path / "x.h5").unlink()


def test_run_and_patch_process_too_and_find_the_same(tmp_path):
    """what a patch changes at resid_pre is what it changed before: processing moves parts of the stream that nothing reads"""
    def probabilities(*options):
        done = json.loads(cache.weir("run", "-m", FIXTURES / "gpt2", "--tokens", "1,2,3,4", "--json", *options).stdout)
        return [(word["id"], word["probability"]) for word in done["prompts"][0]["positions"][0]["next"]]

    def patched(*options):
        pairs = tmp_path / "pairs.jsonl"
        pairs.write_text('{"clean": [1, 2, 3, 4], "corrupt": [1, 9, 3, 4], "answer": [5], "wrong": [6]}\n')
        lines = cache.weir("patch", "-m", FIXTURES / "gpt2", "--pairs", pairs, "--at", "resid_pre", "--csv", *options).stdout.splitlines()
        return lines[0], [[float(x) for x in line.split(",")[-3:] if x] for line in lines[1:]]
    plain, processed = probabilities(), probabilities("--process", "tl")
    assert [i for i, _ in plain] == [i for i, _ in processed]
    assert np.allclose([p for _, p in plain], [p for _, p in processed], rtol=1e-4)
    (head, a), (same, b) = patched(), patched("--process", "tl")
    assert head == same and len(a) == len(b) == 12 and np.allclose(a, b, atol=1e-4) and np.ptp(a) > 0.1
    refused = cache.weir("patch", "-m", FIXTURES / "llama", "--clean", "a", "--corrupt", "b", "--process", "fold", check=False)
    assert refused.returncode == 2 and "is not a way to process weights" in refused.stderr
