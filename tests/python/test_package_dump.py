"""weir.dump: the command line it makes, what it shows, and how it fails."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import weir
from weir import _binary

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def gpt2(models):
    return models / "gpt2"


@pytest.fixture
def letters(tmp_path, gpt2):
    """The tiny GPT-2 with a tokenizer that has a token a byte."""
    model = tmp_path / "letters"
    model.mkdir()
    for name in "config.json", "model.safetensors":
        (model / name).symlink_to(gpt2 / name)
    (model / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate([*"abcdefghijklmnopqrstuvwxyz", "\u0120"])}))
    (model / "merges.txt").write_text("#version: 0.2\n")
    return model


def program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("prompts", "ids"), [
    ([1, 2, 3], [[1, 2, 3]]), ([[1, 2], [3]], [[1, 2], [3]]), (np.array([4, 5]), [[4, 5]]),
    (np.array([[4, 5], [6, 7]]), [[4, 5], [6, 7]]), ((1,), [[1]]), ([np.int64(3), 4], [[3, 4]]), ([np.array([3, 4])], [[3, 4]]),
])
def test_ids_are_one_prompt_or_several(gpt2, prompts, ids):
    assert [i.tolist() for i in weir.dump(prompts, gpt2, "embed", quiet=True).ids] == ids


def test_texts_and_ids_mix_in_order(letters):
    cache = weir.dump(["ab", [7, 8], "c d"], letters, "embed", quiet=True)
    assert cache.tokens == [["a", "b"], ["h", "i"], ["c", " ", "d"]]
    assert weir.dump("abc", letters, "embed", quiet=True).text == ["abc"]


def test_options_reach_the_command_line(gpt2, tmp_path):
    out = tmp_path / "run.h5"
    cache = weir.dump([1, 2, 3, 4], gpt2, ["pattern:0", "resid_post:-1"], out, next=2, positions=slice(1, 3), dtype="f16",
                      compress="gzip", compute="f32", process="fold_ln", threads=1)
    assert cache.path == str(out) and cache.attrs["dtype"] == "f16" and cache.positions[0].tolist() == [1, 2]
    assert cache.points["pattern"].layers == (0,) and cache.points["resid_post"].layers == (2,)
    assert cache.file["activations/pattern"].compression == "gzip" and cache.next.id.shape == (1, 2, 2)
    assert "--compute f32 --process fold_ln --threads 1" in cache.attrs["command"] and cache.points["pattern"].compute_error is None
    cache.close()
    assert out.exists()


def test_plugins_are_loaded(gpt2):
    with pytest.raises(weir.Error, match="missing.so: cannot be loaded as a plugin"):
        weir.dump([1, 2], gpt2, plugins=["missing.so:args"], quiet=True)
    with pytest.raises(TypeError, match="plugins is a list"):
        weir.dump([1, 2], gpt2, plugins="missing.so:args", quiet=True)


def test_edits_and_ablations_act_in_order_and_are_in_the_file(gpt2):
    plain = weir.dump([1, 2, 3, 4], gpt2, "z,resid_post", quiet=True)
    edits = ["z:1.2 = 0", {"select": "resid_post:1@-1", "op": "+=", "value": np.float32(0.5)}, {"select": "z:1.0", "op": "*=", "value": "-2"}]
    cache = weir.dump([1, 2, 3, 4], gpt2, "z,resid_post", edits=edits, ablate=["z:1.3=mean", "z:0.1"], quiet=True)
    z, before = cache["z", 1][0], plain["z", 1][0]
    assert not z[:, 2].any() and not cache["z", 0][0, :, 1].any()
    np.testing.assert_allclose(z[:, 3], np.broadcast_to(weir.dump([1, 2, 3, 4], gpt2, "z", ablate=["z:0.1"], quiet=True)["z", 1][0, :, 3]
                                                        .mean(0), z[:, 3].shape), atol=1e-6)
    assert json.loads(cache.attrs["edits"]) == [
        {"select": "z:1.2", "op": "=", "value": "0"}, {"select": "resid_post:1@-1", "op": "+=", "value": "0.5"},
        {"select": "z:1.0", "op": "*=", "value": "-2"}, {"select": "z:1.3", "op": "=", "value": "mean([@:])"},
        {"select": "z:0.1", "op": "=", "value": "0"}]
    only = weir.dump([1, 2, 3, 4], gpt2, "z,resid_post", edits=edits[1:2], quiet=True)
    np.testing.assert_array_equal(only["resid_post", 1][0, :3], plain["resid_post", 1][0, :3])
    np.testing.assert_array_equal(only["resid_post", 1][0, 3], plain["resid_post", 1][0, 3] + np.float32(0.5))
    np.testing.assert_array_equal(only["z", 1][0], before)


def test_edits_that_cannot_be_are_errors_in_words_of_python(gpt2):
    with pytest.raises(weir.Error, match="^edits: character 1: .*zz") as raised:
        weir.dump([1, 2], gpt2, edits=["zz:1 = 0"], quiet=True)
    assert raised.value.code == 2
    with pytest.raises(weir.Error, match="^ablate: .*zz"):
        weir.dump([1, 2], gpt2, ablate=["zz:1"], quiet=True)
    with pytest.raises(weir.Error, match="^edits: .*opp"):
        weir.dump([1, 2], gpt2, edits=[{"select": "z:1", "opp": "=", "value": 0}], quiet=True)
    with pytest.raises(TypeError, match=r"^edits is a list, as in \['z:1 = 0'\], not a text"):
        weir.dump([1, 2], gpt2, edits="z:1 = 0", quiet=True)
    with pytest.raises(TypeError, match="^edits is a list, as in .*, not a dict"):
        weir.dump([1, 2], gpt2, edits={"select": "z:1", "op": "=", "value": 0}, quiet=True)
    with pytest.raises(TypeError, match="^ablate is a list"):
        weir.dump([1, 2], gpt2, ablate="z:1", quiet=True)


@pytest.mark.parametrize(("positions", "rows"), [(-1, [3]), ("0:2", [0, 1]), (slice(None, None, 2), [0, 2]), (slice(-2, None), [2, 3])])
def test_positions_are_numbers_slices_or_text(gpt2, positions, rows):
    assert weir.dump([1, 2, 3, 4], gpt2, "embed", positions=positions, quiet=True).positions[0].tolist() == rows


def test_a_token_in_front_can_be_asked_for(letters):
    with pytest.raises(weir.Error, match="50256") as raised:       # this model's own is beyond its vocabulary
        weir.dump("ab", letters, "embed", bos=True, quiet=True)
    assert raised.value.code == 2
    assert weir.dump("ab", letters, "embed", bos=False, quiet=True).tokens == [["a", "b"]]


def test_errors_have_the_line_of_the_binary_and_its_code(gpt2, tmp_path, capfd):
    out = tmp_path / "run.h5"
    out.write_text("kept")
    for given, code, says in (
            (dict(model=gpt2, hooks="nothing"), 2, "nothing"), (dict(model=tmp_path / "nowhere"), 3, "nowhere: no such"),
            (dict(model=gpt2, out=out), 5, "force=True"), (dict(model=gpt2, out=tmp_path / "no/run.h5"), 5, "no/run.h5")):
        with pytest.raises(weir.Error, match=says) as raised:
            weir.dump([1, 2], **given)
        assert raised.value.code == code
        assert "\n" not in str(raised.value) and not str(raised.value).startswith("weir:")
    assert "weir: " not in capfd.readouterr().err          # once, in the exception
    assert out.read_text() == "kept"
    assert weir.dump([1, 2], gpt2, "embed", out, force=True).ids[0].tolist() == [1, 2]


def test_prompts_that_no_command_line_takes(letters):
    with pytest.raises(weir.Error, match="NUL"):
        weir.dump("a\0b", letters)
    with pytest.raises(ValueError, match="no prompts"):
        weir.dump([], letters)
    with pytest.raises(weir.Error, match="has 200000 tokens"):     # it reached the model
        weir.dump(["a" * 200_000], letters, quiet=True)
    many = [f"{'abcd ' * 18}" for _ in range(5_500)]
    cache = weir.dump(many, letters, "resid_post:0.0@-1", quiet=True)
    assert len(cache.prompts) == 5_500 and cache.text[-1] == many[-1]
    mixed = ["a\nb\r\n", [3, 4], "b" * 150_000, "z\u2028"]            # line ends, ids, and more than an argument holds
    assert weir.dump(mixed[:2] + mixed[3:], letters, "resid_post:0.0@-1", quiet=True).text == [mixed[0], "", mixed[3]]
    with pytest.raises(weir.Error, match="standard input: line 3: .*150000|has 150000 tokens"):
        weir.dump(mixed, letters, "resid_post:0.0@-1", quiet=True)


def test_dicts_are_prompts_whose_other_members_are_kept(letters):
    one = {"prompt": "ab\nc", "subject": "a", "positions": np.arange(2), "n": np.int64(3), "none": None}
    cache = weir.dump([one, "de", {"ids": [5, 6], "id": 9}], letters, "embed", quiet=True)
    assert cache.text == ["ab\nc", "de", ""] and cache.ids[2].tolist() == [5, 6]
    assert cache.fields == [{"subject": "a", "positions": [0, 1], "n": 3, "none": None}, {}, {"id": 9}]
    assert cache.prompts[0].fields["subject"] == "a" and cache.prompt(1).fields == {}
    assert weir.dump({"prompt": "ab"}, letters, "embed", quiet=True).fields == [{}]
    with pytest.raises(TypeError, match="holds a set"):
        weir.dump({"prompt": "ab", "x": {1}}, letters)
    with pytest.raises(weir.Error, match="line 2: .* none of"):
        weir.dump(["ab", {"x": 1}], letters)


PAIRS = [{"clean": "abc", "corrupt": "abd", "answer": "e", "at": {"clean": "c", "corrupt": 0}},
         {"clean": [1, 2], "corrupt": np.array([3, 4]), "at": -1}]


def test_dicts_of_sides_are_a_prompt_for_each(letters):
    cache = weir.dump(PAIRS, letters, "embed@at", sides=["clean", "corrupt"], quiet=True)
    assert [ids.tolist() for ids in cache.ids] == [[0, 1, 2], [0, 1, 3], [1, 2], [3, 4]]
    assert cache.text == ["abc", "abd", "", ""] and cache.fields[1]["answer"] == "e"
    assert [(fields["side"], fields["line"]) for fields in cache.fields] == [("clean", 0), ("corrupt", 0), ("clean", 1), ("corrupt", 1)]
    assert [positions.tolist() for positions in cache.positions] == [[2], [0], [1], [1]]
    whole = weir.dump(PAIRS, letters, "embed", sides=["clean", "corrupt"], quiet=True)
    for at, prompt in zip([2, 0, 1, 1], range(4)):
        np.testing.assert_array_equal(cache.prompt(prompt)["embed"][0], whole.prompt(prompt)["embed"][at])


def test_a_side_can_be_all_that_is_stored(letters):
    cache = weir.dump(PAIRS, letters, "embed#corrupt", sides=["clean", "corrupt"], quiet=True)
    assert [len(positions) for positions in cache.positions] == [0, 3, 0, 2]
    assert cache.prompt(0)["embed"].shape[0] == 0 and not np.isnan(cache.prompt(1)["embed"]).any()


def test_sides_that_differ_in_length_are_an_error_in_words_of_python(letters):
    with pytest.raises(weir.Error, match=r"clean has 2 tokens and corrupt has 1; .*: \|a\|b\| and \|a\|$"):
        weir.dump({"clean": "ab", "corrupt": "a"}, letters, sides=["clean", "corrupt"], quiet=True)
    with pytest.raises(weir.Error, match="^sides: 'a b' is no name"):
        weir.dump(PAIRS, letters, sides=["a b"], quiet=True)
    with pytest.raises(TypeError, match=r"as in \['clean'\], not a text"):
        weir.dump(PAIRS, letters, sides="clean")


def test_likely_next_tokens_have_their_text(letters):
    cache = weir.dump(["abc", "a"], letters, "embed", next=3, quiet=True)
    vocab = {i: word.replace("\u0120", " ") for word, i in json.loads((letters / "vocab.json").read_text()).items()}
    assert cache.next.text.shape == cache.next.id.shape == (2, 3, 3)
    for i, text in zip(cache.next.id.ravel(), cache.next.text.ravel()):
        assert text == vocab.get(int(i), text) and (text or i < 0 or int(i) not in vocab)
    assert cache.prompt(1).next.text.shape == (1, 3) and (cache.next.text[1, 1:] == "").all()


def test_a_temporary_file_is_removed_when_the_dump_fails(gpt2, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(weir.Error):
        weir.dump([1, 2], gpt2, "nothing")
    assert list(tmp_path.iterdir()) == []


def test_the_binary_is_WEIR_or_on_PATH_or_in_the_tree(tmp_path, monkeypatch):
    here = program(tmp_path / "weir", "exit 0")
    monkeypatch.setenv("WEIR", str(tmp_path / "other"))
    with pytest.raises(weir.Error, match="WEIR is .*other, which is no program"):
        _binary.find()
    monkeypatch.setenv("WEIR", str(here))
    assert _binary.find() == str(here)
    monkeypatch.delenv("WEIR")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _binary.find() == str(here)
    monkeypatch.setenv("PATH", "/nowhere")
    assert _binary.BUILT == ROOT / "build/cli/weir"
    monkeypatch.setattr(_binary, "BUILT", here)
    assert _binary.find() == str(here)
    monkeypatch.setattr(_binary, "BUILT", tmp_path / "none")
    with pytest.raises(weir.Error, match=f"no program weir on PATH.*run script/build in {ROOT}.* WEIR"):
        _binary.find()
    monkeypatch.setattr(_binary, "TREE", tmp_path)         # as where pip put it: nothing is named that cannot be
    with pytest.raises(weir.Error) as raised:
        _binary.find()
    assert str(tmp_path) not in str(raised.value) and "PATH or set the environment variable WEIR" in str(raised.value)


def test_what_ends_without_a_word_is_an_error_too(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIR", str(program(tmp_path / "weir", "kill -9 $$")))
    with pytest.raises(weir.Error, match="weir ended with code -9"):
        weir.dump([1])


def test_words_go_to_stderr_unless_quiet(gpt2, capfd):
    weir.dump([1, 2], gpt2, "embed")
    shown = capfd.readouterr()
    assert shown.out == "" and re.search(r"gpt2: 1 hook point, 1 prompt of 2 positions: about .* to /", shown.err)
    weir.dump([1, 2], gpt2, "embed", quiet=True)
    assert capfd.readouterr().err == ""


def in_terminal(code, env):
    """What a Python program shows in a terminal 60 wide."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", code], {**env, "PYTHONPATH": str(ROOT / "python")})
    shown = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0, shown
    return shown


def test_progress_is_drawn_in_a_terminal(tmp_path):
    """the stand-in draws as weir does, which needs half a second of work"""
    fake = program(tmp_path / "weir", "[ -t 2 ] && stty -F /dev/stderr size >&2\n"
                   "printf '\\r[###...] 50%%\\033[K' >&2; sleep 0.3\n"
                   "printf '\\r[######] 100%%\\033[K' >&2; sleep 0.3\nprintf '\\r\\033[Kweir: it broke\\n' >&2; exit 5")
    code = ("import weir\n"
            "try: weir.dump([1], 'm')\nexcept weir.Error as e: print('error', e, e.code)")
    shown = in_terminal(code, {**os.environ, "WEIR": str(fake)})
    assert b"\r[###...] 50%\x1b[K\r[######] 100%\x1b[K" in shown
    assert re.match(rb"\d+ \d+\r\n", shown), "it was given a terminal with a size"
    assert b"error it broke 5" in shown and b"weir: it broke" not in shown


def test_the_real_binary_in_a_terminal(gpt2):
    code = f"import weir\nc = weir.dump([1, 2, 3], {str(gpt2)!r}, 'embed')\nprint(c['embed'].shape)"
    shown = in_terminal(code, dict(os.environ))
    assert re.match(rb"gpt2: 1 hook point, .*\r\n/.*run\.h5: .* in \d+\.\d s\r\n\(1, 3, 48\)\r\n$", shown), shown


def test_an_interrupt_stops_the_binary_and_leaves_nothing(tmp_path):
    fake = program(tmp_path / "weir", "echo $$ >&2; exec sleep 100")
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    # a runner in the background hands on that SIGINT is ignored
    code = "import signal, weir\nsignal.signal(signal.SIGINT, signal.default_int_handler)\ntry: weir.dump([1], 'm')\nexcept KeyboardInterrupt: print('stopped')"
    env = {**os.environ, "WEIR": str(fake), "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT / "python")}
    child = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
    pid = int(child.stderr.readline())        # passed on by Python, which is past starting it
    child.send_signal(signal.SIGINT)          # to Python alone, as a notebook's server does it
    assert child.communicate(timeout=60)[0] == "stopped\n"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list(scratch.iterdir()) == []


LARGE = "weir: x.h5 would take 6 GB: remove that from --hooks (leaving 1 GB), see --positions, or give --yes (/a/--yes)"


def test_advice_names_arguments_of_python(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIR", str(program(tmp_path / "weir", f"echo '{LARGE}' >&2; exit 2")))
    with pytest.raises(weir.Error) as raised:
        weir.dump([1])
    assert str(raised.value) == LARGE[6:].replace("--hooks", "hooks").replace("--positions", "positions").replace(
        "give --yes", "give yes=True") and raised.value.code == 2
    monkeypatch.setenv("WEIR", str(program(tmp_path / "weir", "echo weir: $* >&2; exit 3")))
    for given, options in (({}, ""), ({"yes": True}, " yes=True"), ({"yes": True, "force": True}, " yes=True force=True")):
        with pytest.raises(weir.Error, match=f"^dump --tokens=1{options} --output="):
            weir.dump([1], **given)


class NotebookStream:
    """stderr as a Jupyter kernel has it: no terminal, no descriptor"""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return False

    def fileno(self):
        raise OSError("no descriptor")


NotebookStream.__module__ = "ipykernel.iostream"
DRAWING = ("[ -t 2 ] || exit 9; printf 'one line\\n' >&2\n" +
           "".join(f"printf '\\r[####....]  {p}%%  3.5 layers/s  0:0{9 - p // 20} left\\033[K' >&2; sleep 0.2\n" for p in (20, 60)) +
           "printf '\\r\\033[Kx.h5: 3 kB in 0.6 s\\n' >&2; exit 7")


@pytest.mark.parametrize("tqdm", [True, False])
def test_progress_is_shown_in_a_notebook(tmp_path, monkeypatch, tqdm):
    """by tqdm where it is, which draws on stderr; else as one line that is written over"""
    bars = []

    class Bar:
        def __init__(self, total, **rest):
            self.n, self.states, self.closed = 0, [], False
            bars.append(self)

        def set_postfix_str(self, text, refresh):
            self.states.append(text)

        def update(self, n):
            self.n += n

        def close(self):
            self.closed = True

    def module(name):
        if name != "tqdm.auto" or not tqdm:
            raise ImportError(name)
        return type("module", (), {"tqdm": Bar})

    monkeypatch.setattr("importlib.import_module", module)
    monkeypatch.setenv("WEIR", str(program(tmp_path / "weir", DRAWING)))
    shown = NotebookStream()
    monkeypatch.setattr(sys, "stderr", shown)
    with pytest.raises(weir.Error, match="code 7"):
        weir.dump([1])
    monkeypatch.undo()
    assert shown.text.startswith("one line\n") and shown.text.endswith("x.h5: 3 kB in 0.6 s\n") and "\x1b" not in shown.text
    if tqdm:
        assert [(bar.n, bar.closed, bar.states) for bar in bars] == [(60, True, ["3.5 layers/s, 0:08 left", "3.5 layers/s, 0:06 left"])]
    else:
        assert re.search(r"\r 20 %  3.5 layers/s, 0:08 left *\r 60 %  3.5 layers/s, 0:06 left *\r +\rx.h5", shown.text)


@pytest.mark.parametrize("prompts", [b"hi", [b"hi"], 5, None])
def test_what_is_no_prompt_is_a_type_error(prompts):
    with pytest.raises(TypeError, match="a prompt is"):
        weir.dump(prompts)
