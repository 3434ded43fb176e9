"""What weir run prints: judged by numpy, in float64, on the logits that weir dump stores of the same prompts."""
import csv
import io
import re
import json
import signal
import subprocess

import h5py
import numpy as np
import pytest

from copies import change, copy_of
from program import CLEAN, FIXTURES, UNSUPPORTED, WEIR, ask, weir
from test_next import log_softmax

PROMPTS = ["5,7,9,2,5", "3,1,4", "8"]
TOKENS = [word for prompt in PROMPTS for word in ("--tokens", prompt)]


def logits_of(folder, model, *options):
    done = weir(folder, "dump", "-m", model, *TOKENS, "--hooks", "logits", *options, "-o", "logits.h5", "--force")
    assert done.returncode == 0, done.stderr
    with h5py.File(folder / "logits.h5") as file:
        return file["activations/logits"][()].astype(np.float64)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
@pytest.mark.parametrize("positions", [None, ":", "0+-1"])
def test_what_is_printed_is_the_softmax_of_the_logits(tmp_path, family, positions):
    logits = logits_of(tmp_path, FIXTURES / family)
    answer = ask(tmp_path, "run", "-m", FIXTURES / family, *TOKENS, "--top", "7", *(["--positions", positions] if positions else []))
    assert [one["prompt"] for one in answer["prompts"]] == [0, 1, 2]
    for one, prompt, its_logits in zip(answer["prompts"], PROMPTS, logits):
        ids = [int(word) for word in prompt.split(",")]
        wanted = {None: [len(ids) - 1], ":": [*range(len(ids))], "0+-1": sorted({0, len(ids) - 1})}[positions]
        assert [place["position"] for place in one["positions"]] == wanted
        logprobs = log_softmax(its_logits)
        for place in one["positions"]:
            at, found = place["position"], place["next"]
            assert place["id"] == ids[at] and len(found) == 7
            likely = np.argsort(-its_logits[at], kind="stable")[:7]
            assert [word["id"] for word in found] == likely.tolist()
            np.testing.assert_allclose([word["logit"] for word in found], its_logits[at][likely], rtol=1e-6)
            np.testing.assert_allclose([word["logprob"] for word in found], logprobs[at][likely], rtol=1e-5)
            np.testing.assert_allclose([word["probability"] for word in found], np.exp(logprobs[at][likely]), rtol=1e-5)
        loss = -np.mean([logprobs[i, token] for i, token in enumerate(ids[1:])]) if ids[1:] else None
        assert one["loss"] == (pytest.approx(loss, rel=1e-5) if loss else None)


def test_csv_has_the_numbers_of_json(tmp_path):
    args = "run", "-m", FIXTURES / "gpt2", *TOKENS, "--positions", ":", "--top", "4"
    rows = list(csv.DictReader(io.StringIO(weir(tmp_path, *args, "--csv").stdout.decode())))
    wanted = [{"prompt": one["prompt"], "position": place["position"], "rank": rank, "id": word["id"], "probability": word["probability"],
               "logprob": word["logprob"], "logit": word["logit"], "token": place["text"], "next": word["text"]}
              for one in ask(tmp_path, *args)["prompts"] for place in one["positions"] for rank, word in enumerate(place["next"], 1)]
    assert len(rows) == 4 * 9
    assert [{name: type(word[name])(row[name]) for name in word} for row, word in zip(rows, wanted)] == wanted


def test_the_rank_is_that_of_the_token_that_follows(tmp_path):
    logits = logits_of(tmp_path, FIXTURES / "gpt2")
    n_vocab = logits.shape[-1]
    for position, token in (0, 7), (1, 9), (2, 2), (3, 5):
        done = weir(tmp_path, "run", "-m", FIXTURES / "gpt2", "--tokens", PROMPTS[0], "--positions", position, "--top", n_vocab)
        rank = int((np.argsort(-logits[0, position], kind="stable") == token).nonzero()[0][0]) + 1
        assert f", before |{token}| (rank {rank})\n" in done.stdout.decode(), done


def test_nothing_is_written_unless_asked_for(tmp_path):
    assert weir(tmp_path, "run", "-m", FIXTURES / "gpt2", *TOKENS).returncode == 0
    assert list(tmp_path.iterdir()) == []


def contents(path):
    with h5py.File(path) as file:
        sets = {}
        file.visititems(lambda name, thing: sets.update({name: thing[()]}) if isinstance(thing, h5py.Dataset) else None)
    return sets


@pytest.mark.parametrize("options", [[], ["--hooks", "z@-1", "--dtype", "f16"]])
def test_what_is_written_is_what_dump_writes_and_the_answer_is_the_same(tmp_path, options):
    args = "-m", FIXTURES / "gpt2", *TOKENS
    told = weir(tmp_path, "run", *args, "--positions", "-2:", "--top", "4")
    done = weir(tmp_path, "run", *args, "--positions", "-2:", "--top", "4", "-o", "run.h5", *options)
    assert done.returncode == 0 and done.stdout == told.stdout
    assert weir(tmp_path, "dump", *args, "--next", "4", "-o", "dump.h5", *options).returncode == 0
    run, dump = contents(tmp_path / "run.h5"), contents(tmp_path / "dump.h5")
    assert run.keys() == dump.keys() and "next/id" in run
    for name in run.keys() - {"next/word_text", "tokens/text", "prompts/text"}:
        np.testing.assert_array_equal(run[name], dump[name], name)
    assert weir(tmp_path, "validate", "run.h5").returncode == 0


def test_a_model_without_an_unembedding_predicts_nothing_and_says_so(tmp_path):
    model = change(copy_of(tmp_path), lambda tensors: tensors.pop("lm_head.weight") and None)
    done = weir(tmp_path, "run", "-m", model, "--tokens", "1,2")
    assert done.returncode == UNSUPPORTED and done.stderr.count(b"\n") == 1 and b"logits" in done.stderr, done


def test_an_interrupted_run_prints_nothing(tmp_path):
    prompts = ["--tokens", ",".join(str(i % 50) for i in range(90))] * 4000
    command = list(map(str, [WEIR, "run", "-m", FIXTURES / "gpt2", *prompts, "-o", "out.h5", "--hooks", "resid_post@-1"]))
    with subprocess.Popen(command, cwd=tmp_path, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate()
    assert (process.returncode, printed, said) == (130, b"", b"weir: interrupted; nothing was written\n")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_prompt_is_refused_by_its_number(tmp_path):
    done = weir(tmp_path, "run", "-m", FIXTURES / "gpt2", "--tokens", "1", "--tokens", "")
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1, done


def test_json_is_one_object_whatever_the_tokens_are(tmp_path):
    answer = json.loads(weir(tmp_path, "run", "-p", "caf\u00e9 \U0001f600", "--positions", ":", "--json").stdout)
    assert "".join(place["text"] for place in answer["prompts"][0]["positions"][1:]).startswith("caf")


def test_positions_are_found_by_the_fields_of_a_prompt(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"prompt": "a walk to the house", "subject": " walk"}\n{"prompt": "the walk", "subject": " walk"}\n')
    answer = ask(tmp_path, "run", "-f", "p.jsonl", "--positions", "subject[-1]")
    assert [[place["text"] for place in one["positions"]] for one in answer["prompts"]] == [[" walk"], [" walk"]]


def test_each_side_of_a_pair_is_a_prompt(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"clean": [5, 7, 9], "corrupt": [5, 8, 9]}\n')
    sides = ask(tmp_path, "run", "-m", FIXTURES / "gpt2", "-f", "p.jsonl", "--side", "clean", "--side", "corrupt")
    alone = [ask(tmp_path, "run", "-m", FIXTURES / "gpt2", "--tokens", ids)["prompts"][0] for ids in ("5,7,9", "5,8,9")]
    assert [one["positions"][0]["next"][0]["id"] for one in sides["prompts"]] == [one["positions"][0]["next"][0]["id"] for one in alone]


def test_sides_may_have_different_lengths_and_an_edit_that_finds_no_position_says_so(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"clean": [3, 17], "corrupt": [5, 8, 13], "subject": {"clean": 0, "corrupt": 2}}\n')
    args = ["run", "-m", FIXTURES / "gpt2", "-f", "p.jsonl", "--side", "clean", "--side", "corrupt"]
    assert [one["positions"][0]["position"] for one in ask(tmp_path, *args)["prompts"]] == [1, 2]
    edited = ask(tmp_path, *args, "--edit", "resid_pre:0@subject#corrupt = [@subject#clean]")["prompts"][1]
    swapped = ask(tmp_path, "run", "-m", FIXTURES / "gpt2", "--tokens", "5,8,3", "--edit", "resid_pre:0@-1 -= [pos_embed@2]",
                  "--edit", "resid_pre:0@-1 += [pos_embed@0]")["prompts"][0]        # the first token in the last one's place
    assert [one["id"] for one in edited["positions"][0]["next"]] == [one["id"] for one in swapped["positions"][0]["next"]]
    done = weir(tmp_path, *args, "--edit", "resid_pre:0#corrupt = [#clean]")
    assert done.returncode == 2 and b"prompt 0 has no position 2" in done.stderr


def test_metrics_are_those_of_the_logits(tmp_path):
    logits = log_softmax(logits_of(tmp_path, FIXTURES / "gpt2"))
    metrics = ["logprob(7)", "2 * logit(5) - 2 * logit(9)", "rank(3)", "sum(loss@1:)"]
    args = "run", "-m", FIXTURES / "gpt2", "--tokens", PROMPTS[0], "--tokens", PROMPTS[1], *(word for text in metrics for word in ("--metric", text))
    answer = ask(tmp_path, *args)["prompts"]
    rows = list(csv.DictReader(io.StringIO(weir(tmp_path, *args, "--csv").stdout.decode())))
    table = weir(tmp_path, *args).stdout.decode()
    for i, (one, its_logits) in enumerate(zip(answer, logits)):
        ids = [int(word) for word in PROMPTS[i].split(",")]
        last = its_logits[len(ids) - 1]
        wanted = [last[7], 2 * (last[5] - last[9]), (last > last[3]).sum(), -sum(its_logits[k, token] for k, token in enumerate(ids[1:]))]
        assert [metric["metric"] for metric in one["metrics"]] == metrics
        assert [metric["value"] for metric in one["metrics"]] == pytest.approx(wanted, rel=1e-5, abs=1e-5)
        assert [float(next(row for row in rows if row["prompt"] == str(i))[text]) for text in metrics] == [metric["value"] for metric in one["metrics"]]
        assert all(f"{text} = {metric['value']:.6g}\n" in table for text, metric in zip(metrics, one["metrics"]))


def test_a_metric_that_cannot_be_is_told_with_its_character(tmp_path):
    for metric, said in ("logit(", "character 7"), ("logit(4000)", "4000"), ("z:99", "99"), ("logit(answer)", "answer"):
        done = weir(tmp_path, "run", "-m", FIXTURES / "gpt2", "--tokens", "1,2", "--metric", "entropy", "--metric", metric)
        assert done.returncode in (2, 3) and done.stdout == b"" and done.stderr.count(b"\n") == 1 and said in done.stderr.decode(), done


EDIT = "--edit", "z:1.0 = 0", "--ablate", "mlp_post:2"


@pytest.mark.parametrize("positions", [None, "-2:"])
def test_against_base_is_a_run_with_edits_beside_one_without(tmp_path, positions):
    model, more = FIXTURES / "gpt2", ["--positions", positions] if positions else []
    n_vocab = logits_of(tmp_path, model).shape[-1]
    base, edited = log_softmax(logits_of(tmp_path, model)), log_softmax(logits_of(tmp_path, model, *EDIT))
    metrics = ["--metric", "logit(5) - logit(9)", "--metric", "loss"]
    tokens = TOKENS[:4]
    answer = ask(tmp_path, "run", "-m", model, *tokens, *EDIT, *more, *metrics, "--top", "6", "--against", "base")["prompts"]
    alone = ask(tmp_path, "run", "-m", model, *tokens, *EDIT, *more, *metrics, "--top", "6")["prompts"]
    without = ask(tmp_path, "run", "-m", model, *tokens, *more, *metrics, "--top", n_vocab)["prompts"]
    for one, lone, plain, p, q, prompt in zip(answer, alone, without, edited, base, PROMPTS):
        assert one["base"]["loss"] == plain["loss"] and one["loss"] == lone["loss"]
        assert [(m["value"], m["base"]) for m in one["metrics"]] == [(a["value"], b["value"]) for a, b in zip(lone["metrics"], plain["metrics"])]
        for place, lone_place, plain_place in zip(one["positions"], lone["positions"], plain["positions"]):
            known = {word["id"]: word for word in plain_place["next"]}
            assert [{name: word[name] for name in word if name != "base"} for word in place["next"]] == lone_place["next"]
            for word in place["next"]:
                assert word["base"]["logit"] == known[word["id"]]["logit"]
                assert word["base"]["logprob"] == pytest.approx(known[word["id"]]["logprob"], rel=1e-6)
        rows = [place["position"] for place in one["positions"]]
        kl = (np.exp(q[rows]) * (q[rows] - p[rows])).sum(-1).mean()
        assert one["base"]["kl"] == pytest.approx(kl, rel=1e-4) and kl > 0
    table = weir(tmp_path, "run", "-m", model, *tokens, *EDIT, *more, *metrics, "--top", "6", "--against", "base", "--csv").stdout.decode()
    words = [(one, word) for one in answer for place in one["positions"] for word in place["next"]]
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == len(words)
    for row, (one, word) in zip(rows, words):
        assert [float(row["base_" + name]) for name in ("probability", "logprob", "logit")] == [word["base"][name] for name in ("probability", "logprob", "logit")]
        assert [(float(row[m["metric"]]), float(row["base " + m["metric"]])) for m in one["metrics"]] == [(m["value"], m["base"]) for m in one["metrics"]]


def test_against_base_without_edits_is_refused_and_a_table_says_what_changes(tmp_path):
    args = "run", "-m", FIXTURES / "gpt2", "--tokens", PROMPTS[0], "--against", "base"
    done = weir(tmp_path, *args)
    assert done.returncode == 2 and b"--edit, --ablate or --plugin" in done.stderr
    table = weir(tmp_path, *args, *EDIT, "--metric", "entropy").stdout.decode().splitlines()
    assert re.match(r"without edits the loss is \d+\.\d{4}, the change [+-]\d+\.\d{4}; KL from there \S+ nats$", table[1]), table
    assert re.match(r"entropy = \S+, without edits \S+, change [+-]\S+$", table[2]), table
    assert re.match(r"rank +p +change +logit +change +token$", table[4]), table


@pytest.mark.parametrize("positions", ["-1", ":"])
def test_the_changes_of_a_table_are_what_edits_add_to_the_numbers_without(tmp_path, positions):
    args = ("run", "-m", FIXTURES / "gpt2", "--tokens", PROMPTS[0], *EDIT, "--against", "base", "--metric", "logit(5)", "--top", "3",
            "--positions", positions)
    one, = ask(tmp_path, *args)["prompts"]
    text = weir(tmp_path, *args).stdout.decode()
    words = [word for place in one["positions"] for word in place["next"]]

    def about(column, name, digits, less=True):
        wanted = [word[name] - (word["base"][name] if less else 0) for word in words]
        np.testing.assert_allclose([float(number) for number in column], wanted, atol=0.51 * 10 ** -digits)
    if positions == "-1":
        ps, changes, logits, logit_changes = zip(*re.findall(r"^ +\d+ +(\S+) +([+-]\S+) +(\S+) +([+-]\S+) +\|", text, re.M))
        about(logit_changes, "logit", 3)
    else:
        ps, changes, logits = zip(*re.findall(r"(\d\.\d{4}) +([+-]\d\.\d{4}) +(\S+) \|", text))
    about(ps, "probability", 4, False)
    about(changes, "probability", 4)
    about(logits, "logit", 3, False)
    loss, metric = re.search(r"the change (\S+);", text)[1], re.search(r"change (\S+)$", text, re.M)[1]
    assert float(loss) == pytest.approx(one["loss"] - one["base"]["loss"], abs=1e-4)
    assert float(metric) == pytest.approx(one["metrics"][0]["value"] - one["metrics"][0]["base"], rel=1e-4)
