"""Metrics of runs: their arithmetic is numpy's on the same logits, their values are what PyTorch's float64 logits give."""
import json
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

import cache
import edits
import prompts
import reference
from cache import FIXTURES, ROOT, WEIR

METRIC_CLI = Path(WEIR).parents[1] / "tests/model/metric_cli"
N = 23
FIELDS = {"answer": 7, "wrong": [3, 9], "at": [4, -2], "donor": 1, "both": {"clean": 5, "corrupt": 6}}


def row(ids, side="-", line=0, fields=None):
    return "\t".join([side, str(line), json.dumps(fields) if fields else "-", " ".join(map(str, ids))])


def run_metrics(folder, rows, metrics, model, zeroed="-"):
    """[metric, prompt], or the message"""
    path = folder / "prompts"
    path.write_text("\n".join(rows) + "\n")
    done = subprocess.run([METRIC_CLI, model, path, zeroed, *metrics], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()
    return np.array([[float(x) for x in line.split()] for line in done.stdout.splitlines()])


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def kl(p, q):
    """KL(p || q) of rows of logits"""
    p, q = log_softmax(p), log_softmax(q)
    return (np.exp(p) * (p - q)).sum(-1)


def logits_of(file):
    """position -> its logits in a reference file, float64"""
    data, _ = reference.points(file)["logits"]
    return dict(zip(file["rows"][...].tolist(), np.asarray(data[0], np.float64)))


def definitions(ids, lg):
    """metric -> its value by numpy, for one prompt's logits [pos, vocab]"""
    lp, p = log_softmax(lg), np.exp(log_softmax(lg))
    loss = -lp[np.arange(len(ids) - 1), ids[1:]]                    # of token i + 1
    entropy = -(p * lp).sum(-1)
    return {
        "logit(5)": lg[-1, 5],
        "logit(answer) - logit(wrong)": lg[-1, 7] - lg[-1, [3, 9]].mean(),
        "logprob(answer)@at": lp[[4, -2], 7].mean(),
        "sum(logprob(answer)@at)": lp[[4, -2], 7].sum(),
        "prob(3, 9, 9, 100)@-2": p[-2, [3, 9, 100]].sum(),
        "logprob(3, 9, 100)@0+2": np.log(p[[0, 2]][:, [3, 9, 100]].sum(-1)).mean(),
        "rank(answer)@:": np.mean([(lg[i] > lg[i, 7]).sum() for i in range(len(ids))]),
        "rank(3, 9)@4": (lg[4] > lg[4, [3, 9]].max()).sum(),
        "loss": loss[-1],
        "loss@:": loss.mean(),
        "loss@3": loss[2],
        "sum(loss@5:9)": loss[4:8].sum(),
        "entropy@1:4": entropy[1:4].mean(),
        "-2 * (loss@: - 0.5 * sum(entropy@:)) + 3": -2 * (loss.mean() - 0.5 * entropy.sum()) + 3,
        "kl(#base)@:": 0,
        "2.5": 2.5,
    }


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "gpt_neox", "mixtral"])
def test_values_are_numpys_on_the_same_logits_and_near_those_of_float64(tmp_path, family):
    ids = prompts.tokens(N)
    own = cache.dump(tmp_path / "own.h5", FIXTURES / family, [ids], hooks="logits")("logits")
    expected = definitions(ids, own)
    values = run_metrics(tmp_path, [row(ids, fields=FIELDS)], expected, FIXTURES / family)
    assert not isinstance(values, str), values
    np.testing.assert_allclose(values[:, 0], list(expected.values()), rtol=1e-11, atol=1e-11)
    with h5py.File(FIXTURES / family / f"ref_{N}.h5") as file:
        truth = logits_of(file)
    if len(truth) < N:                                             # a sample of rows only: the last one judges
        assert abs(values[0, 0] - truth[N - 1][5]) <= 2e-4 * np.sqrt((truth[N - 1] ** 2).mean())
        return
    truth = np.stack([truth[i] for i in range(N)])
    near = definitions(ids, truth)
    for name, value in zip(near, values[:, 0]):
        if "rank" not in name:
            bound = 2e-4 * np.sqrt((truth ** 2).mean()) * (50 if "sum" in name else 1)
            assert abs(value - near[name]) <= bound + 1e-9, (name, value, near[name])


@pytest.mark.parametrize("family", edits.FAMILIES)
def test_kl_against_base_compares_with_the_pass_without_edits(tmp_path, family):
    ids = prompts.tokens(edits.LENGTH)
    with h5py.File(FIXTURES / family / f"ref_{N}.h5") as plain, h5py.File(FIXTURES / family / "edit_head.h5") as edited:
        before, after = logits_of(plain), logits_of(edited)
    rows = sorted(before.keys() & after.keys())
    at, last = "+".join(map(str, rows)), rows[-1]
    assert last == N - 1
    metrics = [f"kl(#base)@{at}", "kl(#base)", "logit(4) - logit(4)#base"]
    values = run_metrics(tmp_path, [row(ids), row(ids[:5])], metrics, FIXTURES / family, "z:1.3")
    assert isinstance(values, str) and "prompt 1" in values         # which has no position 22
    values = run_metrics(tmp_path, [row(ids)], metrics, FIXTURES / family, "z:1.3")
    assert not isinstance(values, str), values
    expected = [kl(before[i], after[i]) for i in rows]
    bound = 2e-4 * np.sqrt(np.mean([x ** 2 for x in before.values()]))
    assert max(expected) > 10 * bound
    np.testing.assert_allclose(values[:, 0], [np.mean(expected), expected[-1], after[last][4] - before[last][4]], rtol=1e-3, atol=bound)


def test_sides_are_found_by_line_in_other_batches_too(tmp_path):
    model, a, b = FIXTURES / "llama", prompts.tokens(N), prompts.tokens(N, seed=1)
    c, d = prompts.tokens(9, seed=2), prompts.tokens(9, seed=3)
    given = [a, c, b, d]
    own = cache.dump(tmp_path / "own.h5", model, given, hooks="logits")
    lg = [own("logits", prompt=i) for i in range(4)]
    rows = [row(a, "clean", 1, FIELDS), row(c, "clean", 2, FIELDS), row(b, "corrupt", 1, FIELDS), row(d, "corrupt", 2, FIELDS)]
    metrics = ["kl(#clean)", "logit(5)#clean", "logit(both)", "sum(kl(#corrupt)@:)", "kl(#2)@3", "logit(5)#donor"]
    values = run_metrics(tmp_path, rows, metrics, model)
    assert not isinstance(values, str), values
    expected = [
        [0, 0, kl(lg[0][-1], lg[2][-1]), kl(lg[1][-1], lg[3][-1])],
        [lg[i][-1, 5] for i in (0, 1, 0, 1)],
        [lg[0][-1, 5], lg[1][-1, 5], lg[2][-1, 6], lg[3][-1, 6]],
        [kl(lg[2], lg[0]).sum(), kl(lg[3], lg[1]).sum(), 0, 0],
        [kl(lg[2][3], lg[i][3]) for i in range(4)],
        [lg[1][-1, 5]] * 4,
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-10)


def test_places_are_summed_at_a_position_and_multiplied_with_vectors(tmp_path):
    model, ids = FIXTURES / "llama", prompts.tokens(N)
    own = cache.dump(tmp_path / "own.h5", model, [ids], hooks="*")
    d_model, d_head = own("resid_post", 0).shape[-1], own("z", 0).shape[-1]
    draw = np.random.default_rng(0)
    v, w = draw.normal(size=d_model).astype("f4"), draw.normal(size=(2, d_head)).astype("f4")
    np.save(tmp_path / "v.npy", v)
    np.savez(tmp_path / "w.npz", w=w, x=w[0])
    z, r, pattern, post = own("z", 1), own("resid_post", 1), own("pattern", 1), own("mlp_post", 0)
    expected = {
        "z:1.2@5": z[5, 2].sum(),
        "[z:1.2@5+7]": z[[5, 7], 2].sum(-1).mean(),
        "sum([z:1.2@5+7])": z[[5, 7], 2].sum(),
        "pattern:1.0@-1/3": pattern[0, -1, 3],
        "pattern:1.0+2@-1/3:5": pattern[[0, 2], -1, 3:5].sum(),
        "mlp_post:0.4@at": post[[4, -2], 4].mean(),
        "ln1_scale:1": own("ln1_scale", 1)[-1],
        f"dot(resid_post:1@-1, {tmp_path}/v.npy)": r[-1] @ v,
        f"0.5 * dot([resid_post:1@:], {tmp_path}/v.npy)": 0.5 * (r @ v).mean(),
        f"dot(z:1.1+3@2, {tmp_path}/w.npz:w)": (z[2, [1, 3]] * w).sum(),
        f"dot(z:1.1@2#base, {tmp_path}/w.npz:x) - 1": z[2, 1] @ w[0] - 1,
    }
    values = run_metrics(tmp_path, [row(ids, fields=FIELDS)], expected, model)
    assert not isinstance(values, str), values
    np.testing.assert_allclose(values[:, 0], list(expected.values()), rtol=2e-6, atol=2e-6)


def test_texts_are_single_tokens_of_the_models_tokenizer(tmp_path):
    rill = ROOT / "models/rill"
    tokens = json.loads(cache.weir("tokens", "-m", rill, "-p", "the cat sat", "--json").stdout)["prompts"][0]
    ids, single = tokens["ids"], next(pair for pair in zip(tokens["ids"], tokens["text"]) if pair[1].startswith(" "))
    values = run_metrics(tmp_path, [row(ids, fields={"answer": single[1]})],
                         [f"logit({single[0]})", f'logit("{single[1]}")', "logit(answer)"], rill)
    assert not isinstance(values, str), values
    assert values[0, 0] == values[1, 0] == values[2, 0]
    message = run_metrics(tmp_path, [row(ids)], ['loss - logit(" xyzzyplugh")'], rill)
    assert "character 14: prompt 0: ' xyzzyplugh' is" in message and "tokens," in message and "single ones" in message


REFUSED = {
    "logit(unknown)": "logit(unknown): character 7: prompt 0: it has no field 'unknown'",
    "logit(211)": "logit(211): character 7: prompt 0: 211 is no token that the model predicts",
    "logit(text)": "its field 'text': ",
    "logit(object)": "it is neither",
    "kl(#clean)": "kl(#clean): character 1: prompt 0: it has no side 'clean'",
    "kl(#5)": "there is no prompt 5",
    "2 * loss@99": "2 * loss@99: character 5: prompt 0: position 99 is out of range",
    "loss@0": "nothing predicts its first token",
    "loss@50:": "no position is left",
    "loss@here": "loss@here: character 1: prompt 0: ",
    "z:1.3@99": "99",
    "z:9": "9",
    "k:0.h1": "copies of query heads",
    "dot(z:1.1, gone.npy)": "gone.npy",
    "[z:1#0:2]": "one prompt",
}


@pytest.mark.parametrize("metric", REFUSED)
def test_what_a_prompt_does_not_have_is_refused_before_the_run(tmp_path, metric):
    message = run_metrics(tmp_path, [row(prompts.tokens(9), fields={"text": "a", "object": [[]]})], [metric], FIXTURES / "llama")
    assert isinstance(message, str) and REFUSED[metric] in message, message
