"""What dump --next stores: judged by numpy on the logits that the same run stores, in float64."""
import h5py
import numpy as np
import pytest

from copies import change, copy_of, dump
from program import FIXTURES, ask, weir


PROMPTS = ["5,7,9,2,5", "3,1,4", "8"]


def next_of(model, folder, top, *args):
    """-> the file's next ids, logits, log-probabilities and losses, its positions, and its logits"""
    tokens = [word for prompt in PROMPTS for word in ("--tokens", prompt)]
    done = dump(model, folder / "next.h5", *tokens, "--hooks", "logits", "--next", str(top), *args)
    assert done.returncode == 0, done.stderr
    with h5py.File(folder / "next.h5") as file:
        found = [file[f"next/{name}"][()] for name in ("id", "logit", "logprob")]
        return *found, file["prompts/loss"][()], file["tokens/position"][()], file["activations/logits"][()].astype(np.float64)


def log_softmax(logits):
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


@pytest.mark.parametrize("top", [1, 7])
@pytest.mark.parametrize("positions", [None, "-2:", "::2"])
def test_next_tokens_are_the_likeliest_of_each_stored_position(tmp_path, top, positions):
    ids, values, logprobs, _, rows, logits = next_of(FIXTURES / "llama", tmp_path, top, *(["--positions", positions] if positions else []))
    for at in zip(*np.nonzero(rows >= 0)):
        wanted = np.argsort(-logits[at], kind="stable")[:top]
        assert ids[at].tolist() == wanted.tolist()
        np.testing.assert_array_equal(values[at], logits[at][wanted])
        np.testing.assert_allclose(logprobs[at], log_softmax(logits[at])[wanted], rtol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_the_loss_is_the_mean_over_the_tokens_that_are_predicted(tmp_path, family):
    *_, losses, _, logits = next_of(FIXTURES / family, tmp_path, 1)
    for prompt, loss, its_logits in zip(PROMPTS, losses, log_softmax(logits)):
        following = [int(word) for word in prompt.split(",")][1:]
        said = [its_logits[i, token] for i, token in enumerate(following)]
        assert loss == pytest.approx(-np.mean(said), rel=1e-5) if following else np.isnan(loss)


def test_the_loss_is_of_the_whole_prompt_whatever_positions_are_stored(tmp_path):
    whole, last = (next_of(FIXTURES / "llama", tmp_path, 1, "--force", *more)[3] for more in ([], ["--positions", "-1"]))
    np.testing.assert_array_equal(whole, last)


def test_of_equal_logits_the_lower_ids_come_first(tmp_path):
    def a_third_of_zeros(tensors):
        kind, shape, data = tensors["lm_head.weight"]
        rows = np.frombuffer(data, np.uint8).reshape(shape[0], -1).copy()
        rows[::3] = 0
        tensors["lm_head.weight"] = kind, shape, rows.tobytes()

    model = change(copy_of(tmp_path), a_third_of_zeros)
    n_vocab = next_of(model, tmp_path, 1)[-1].shape[-1]
    ids, *_, logits = next_of(model, tmp_path, n_vocab, "--force")
    assert (logits[0, 0] == 0).sum() >= n_vocab // 3
    assert ids[0, 0].tolist() == np.argsort(-logits[0, 0], kind="stable").tolist()


def test_ls_has_the_likeliest_token_after_the_last_stored_position(tmp_path):
    args = [word for prompt in PROMPTS for word in ("--tokens", prompt)]
    assert weir(tmp_path, "dump", *args, "--next", "3", "--hooks", "resid_post", "--positions", ":2", "-o", "some.h5").returncode == 0
    prompts = ask(tmp_path, "ls", "some.h5")["prompts"]
    with h5py.File(tmp_path / "some.h5") as file:
        rows = (file["tokens/position"][()] >= 0).sum(1) - 1
        texts = dict(zip(file["next/word_id"][()].tolist(), file["next/word_text"][()]))
        for i, (prompt, row) in enumerate(zip(prompts, rows)):
            likeliest = int(file["next/id"][i, row, 0])
            assert prompt["next"]["id"] == likeliest and prompt["next"]["text"] == texts[likeliest].decode()
            assert prompt["next"]["probability"] == pytest.approx(np.exp(file["next/logprob"][i, row, 0]))
    table = weir(tmp_path, "ls", "some.h5").stdout.decode()
    assert all(f"{one['next']['probability']:.2f} |{one['next']['text']}|" in table for one in prompts)
