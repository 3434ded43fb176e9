"""Prompts from files: lines of text, lines of JSON, and what a line of JSON says beside its prompt."""
import json

import h5py
import pytest

from program import FIXTURES, INPUT, ask, weir


def dump(folder, *args, stdin=b"", code=0):
    """-> prompts of the file as weir ls has them"""
    done = weir(folder, "dump", "-m", "letters", *args, "--hooks", "embed", "--force", "-o", "p.h5", input=stdin)
    assert done.returncode == code, done.stderr.decode()
    return done.stderr.decode() if code else ask(folder, "ls", "p.h5")["prompts"]


def ids(prompts):
    return [prompt["ids"] for prompt in prompts]


def write(folder, name, *lines):
    (folder / name).write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() + b"\n" for line in lines))
    return name


# ---- text ----

def test_blank_lines_are_passed_over_and_said(folder):
    name = write(folder, "blank.txt", "", "act", "", "\r", "a cat", "")
    done = weir(folder, "dump", "-m", "letters", "-f", name, "--hooks", "embed", "--force", "-o", "p.h5")
    assert b"blank.txt: 4 blank lines skipped, the first is line 1\n" in done.stderr
    assert ids(ask(folder, "ls", "p.h5")["prompts"]) == [[0, 2, 19], [0, 29]]


def test_a_line_of_spaces_is_a_prompt(folder):
    assert ids(dump(folder, "-f", write(folder, "spaces.txt", "a", "  ", "c"))) == [[0], [26, 26], [2]]


def test_a_mark_in_front_of_the_file_is_no_part_of_the_prompt(folder):
    assert ids(dump(folder, "-f", write(folder, "mark.txt", b"\xef\xbb\xbfact\n"))) == [[0, 2, 19]]
    assert ids(dump(folder, "-f", write(folder, "mark.jsonl", b'\xef\xbb\xbf{"prompt": "act"}\n'))) == [[0, 2, 19]]


@pytest.mark.parametrize("text", ["", "\n", "\r\n\n"])
def test_a_file_without_prompts_is_said(folder, text):
    write(folder, "none.txt", text.encode())
    assert dump(folder, "-f", "none.txt", "-p", "a", code=2) == "weir: none.txt: contains no prompt\n"


def test_standard_input_is_read_once(folder):
    assert dump(folder, "-f", "-", "-f", "-", stdin=b"a\n", code=2) == \
        "weir: -f - is given twice; standard input can only be read once\n"


@pytest.mark.parametrize("first", ["{a}", '{"name": "a"}', '["prompt"]', '{"a": "prompt"}', 'a {"prompt": "a"}'])
def test_text_with_braces_is_text_unless_it_gives_a_prompt(folder, first):
    done = weir(folder, "tokens", "-f", "-", "--json", "--bos", "no", input=first.encode() + b"\nact\n")
    assert ["".join(prompt["text"]) for prompt in json.loads(done.stdout)["prompts"]] == [first, "act"]


# ---- lines of JSON ----

# whatever a line says of a prompt is kept as it was written, and is JSON for who reads it
ESCAPES = '{"prompt": "a", "x\\u0041": "\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00"}'

LINES = ['{"prompt": "act", "id": "first", "subject": "a", "n": 12345678901234567890, "x": 1.50}',
         '{"text":"a cat","tokens":["a"," cat"],"nested":{"a":[1,{"b":null}]}}',
         '{"ids": [3, 4] , "prompt": "de"}', ' {"tokens": [5]}', '{"ids":[6,7],"tokens":[1],"text":"gh","label":"\\u00e9 \\"q\\""}']


@pytest.mark.parametrize("name", ["lines.jsonl", "lines.ndjson", "lines.txt", "-"])
def test_lines_of_json_give_prompts_and_keep_the_rest(folder, name):
    text = "".join(line + "\n" for line in LINES)
    if name != "-":
        write(folder, name, text.encode())
    prompts = dump(folder, "-f", name, stdin=text.encode())
    assert ids(prompts) == [[0, 2, 19], [0, 29], [3, 4], [5], [6, 7]]
    with h5py.File(folder / "p.h5") as file:
        assert [row.decode() for row in file["prompts/fields"]] == [
            '{"id":"first","subject":"a","n":12345678901234567890,"x":1.50}',
            '{"tokens":["a"," cat"],"nested":{"a":[1,{"b":null}]}}', "", "",
            '{"tokens":[1],"label":"\\u00e9 \\"q\\""}']
        assert [text.decode() for text in file["prompts/text"]] == ["act", "a cat", "de", "", "gh"]
    assert [prompt.get("fields") for prompt in prompts] == [
        {"id": "first", "subject": "a", "n": 12345678901234567890, "x": 1.5},
        {"tokens": ["a", " cat"], "nested": {"a": [1, {"b": None}]}}, None, None, {"tokens": [1], "label": 'é "q"'}]
    assert weir(folder, "validate", "p.h5").returncode == 0


def test_every_escape_of_json_is_kept(folder):
    write(folder, "escapes.jsonl", ESCAPES)
    assert dump(folder, "-f", "escapes.jsonl")[0]["fields"] == {"xA": '"\\/\b\f\n\r\t\u00e9\U0001f600'}
    assert weir(folder, "validate", "p.h5").returncode == 0


def test_files_of_text_have_no_fields(folder):
    assert all("fields" not in prompt for prompt in dump(folder, "-p", "act", "-f", "crlf.txt"))
    with h5py.File(folder / "p.h5") as file:
        assert "fields" not in file["prompts"]


def test_fields_stay_with_their_prompt_among_others(folder):
    write(folder, "one.jsonl", '{"prompt":"act","id":1}')
    prompts = dump(folder, "-p", "a", "-f", "one.jsonl", "--tokens", "5", "-f", "crlf.txt")
    assert [prompt.get("fields") for prompt in prompts] == [None, {"id": 1}, None, None, None]


def test_ls_shows_the_fields(folder):
    write(folder, "one.jsonl", '{"prompt":"act","id":1}')
    dump(folder, "-p", "a", "-f", "one.jsonl")
    lines = weir(folder, "ls", "p.h5").stdout.decode().splitlines()
    assert lines[-3].split() == ["prompt", "tokens", "stored", "loss", "begins", "fields"]
    assert lines[-1].endswith('{"id":1}') and lines[-2].rstrip().endswith("|a|")


def test_a_prompt_may_hold_line_ends_and_be_very_long(folder):
    for text in "one\r\ntwo\n", "act " * 50_000:
        done = weir(folder, "tokens", "-f", "-", "--json", "--bos", "no", input=json.dumps({"prompt": text}).encode())
        assert "".join(json.loads(done.stdout)["prompts"][0]["text"]) == text.replace("\r", "\\r").replace("\n", "\\n")


@pytest.mark.parametrize(("line", "column", "what"), [
    ('{"prompt": "a"', 15, "comma or }"), ('{"prompt" "a"}', 11, "colon"), ('{"prompt": "a",}', 16, "name in double quotes"),
    ('{"prompt": "a} ', 12, "has no end"), ('{"prompt": 01}', 12, "number"), ('{"prompt": a}', 12, "value"),
    ('{"prompt": "a"} x', 17, "after"), ('["prompt"]', 1, "object"), ("act", 1, "object"), ('{"é": 1, "prompt": 5}', 20, "string"),
    ('{"prompt": "a\tb"}', 14, "control"), ('{"prompt": "a", "prompt": "b"}', 17, "twice"), ('{"prompt": "\\u0000"}', 13, "u0000"),
    ('{"prompt": "\\x"}', 13, "escape"), ('{"prompt": "\\ud800"}', 13, "escape"), ('{"ids": [1, -2]}', 13, "token ids"),
    ('{"ids": [1.5]}', 10, "token ids"), ('{"ids": "1"}', 9, "token ids"), ('{"ids": [1, 2', 14, "comma or ]"), ('{"tokens": [1, "a"]}', 16, "token ids"),
    ('{"prompt": "a", "x": [1 2]}', 25, "comma or ]"), ('{"prompt": "a", "x": NaN}', 22, "value"), ('{"prompt": "a", "x": +1}', 22, "value"),
    ('{"prompt": "a", "x": "\\q"}', 23, "escape"), ('{"prompt": "a", "x": "\\u12"}', 23, "escape"), ('{"prompt": "a", "x": "\\', 22, "no end"),
    ('{"prompt": "a", "x": ["-\\udc00"]}', 25, "escape"), ('{"prompt": "a", "x": "\\ud83d\\u0041"}', 23, "escape"), ('{"prompt": "\\', 12, "no end"),
    ('{"prompt": "a", "x": {"y":}}', 27, "value"), ('{"prompt": "a", "x": ' + "[" * 70, 85, "deeper"),
])
def test_errors_name_line_and_column(folder, line, column, what):
    write(folder, "wrong.jsonl", '{"prompt": "act"}', "", line)
    said = dump(folder, "-f", "wrong.jsonl", code=3)
    assert said.count("\n") == 1 and said.startswith(f"weir: wrong.jsonl: line 3, column {column}: ") and what in said


def test_a_line_without_a_prompt_is_said(folder):
    write(folder, "wrong.jsonl", '{"prompt": null, "id": 3}')
    assert dump(folder, "-f", "wrong.jsonl", code=3) == \
        'weir: wrong.jsonl: line 1: the object has none of "prompt", "text", "ids" and "tokens"\n'


def test_bytes_that_are_no_text_are_said(folder):
    write(folder, "wrong.jsonl", b'{"prompt": "a\xff"}\n')
    assert "line 1, column 14: this is not UTF-8" in dump(folder, "-f", "wrong.jsonl", code=3)


def test_an_id_beyond_the_vocabulary_names_its_line(folder):
    write(folder, "wrong.jsonl", '{"ids": [1]}', '{"ids": [1, 999999]}')
    said = dump(folder, "-f", "wrong.jsonl", code=2)
    assert said.startswith("weir: wrong.jsonl: line 2: ") and "999999" in said


def test_many_names_are_refused_before_they_take_long(folder):
    write(folder, "wrong.jsonl", json.dumps({"prompt": "a"} | {f"n{i}": i for i in range(50_000)}))
    assert "more than 1024 names" in dump(folder, "-f", "wrong.jsonl", code=3)


def test_validate_finds_fields_that_are_no_object(folder):
    write(folder, "one.jsonl", '{"prompt":"act","id":1}')
    dump(folder, "-f", "one.jsonl")
    for wrong in "[1]", "{", "{} {}":
        with h5py.File(folder / "p.h5", "r+") as file:
            file["prompts/fields"][0] = wrong
        done = weir(folder, "validate", "p.h5")
        assert done.returncode == 1 and b"/prompts/fields: prompt 0: is not a JSON object" in done.stdout
        json.loads(weir(folder, "ls", "p.h5", "--json").stdout)


# ---- what the likeliest tokens show as ----

def test_likely_tokens_have_their_text(folder):
    dump(folder, "-p", "act", "-f", "crlf.txt", "--next", "5")
    with h5py.File(folder / "p.h5") as file:
        words = dict(zip(file["next/word_id"][:].tolist(), file["next/word_text"][:].tolist()))
        assert list(words) == sorted({i for i in file["next/id"][:].ravel().tolist() if i >= 0})
        vocab = {i: word for word, i in json.loads((folder / "letters/vocab.json").read_text()).items()}
        for i, word in words.items():
            assert word.decode() == (vocab[i].replace("\u0120", " ") if i in vocab else word.decode())
    assert weir(folder, "validate", "p.h5").returncode == 0
    with h5py.File(folder / "p.h5", "r+") as file:
        del file["next/word_text"]
    assert b"/next/word_text: is missing" in weir(folder, "validate", "p.h5").stdout


# ---- pairs ----

PAIRS = ['{"clean": "a cat", "corrupt": "a c", "answer": " cat", "wrong": [3, 4], "n": 1.50, "at": {"clean": " cat", "corrupt": -1}}',
         '{"corrupt": [7, 8], "answer": "b", "clean": [1, 2]}']
BOTH = "--side", "clean", "--side", "corrupt"


def test_each_line_of_pairs_gives_a_prompt_per_side(folder):
    got = dump(folder, "-f", write(folder, "pairs.jsonl", *PAIRS), *BOTH)
    assert ids(got) == [[0, 29], [0, 27], [1, 2], [7, 8]]
    first = {"answer": " cat", "wrong": [3, 4], "n": 1.5, "at": {"clean": " cat", "corrupt": -1}}
    assert [prompt["fields"] for prompt in got] == [{**first, "side": "clean", "line": 0}, {**first, "side": "corrupt", "line": 0},
                                                    {"answer": "b", "side": "clean", "line": 1}, {"answer": "b", "side": "corrupt", "line": 1}]
    with h5py.File(folder / "p.h5") as file:
        assert file["prompts/fields"][0].startswith(b'{"answer":" cat","wrong":[3, 4],"n":1.50,')     # as it was written
        assert [text.decode() for text in file["prompts/text"]] == ["a cat", "a c", "", ""]


def test_sides_have_names_of_their_own_and_what_is_no_side_is_a_field(folder):
    write(folder, "pairs.jsonl", *PAIRS)
    got = dump(folder, "-f", "pairs.jsonl", "--side", "sent=clean", "--side", "clean")
    assert [(prompt["fields"]["side"], prompt["ids"]) for prompt in got[:2]] == [("sent", [0, 29]), ("clean", [0, 29])]
    assert got[0]["fields"]["corrupt"] == "a c" and "clean" not in got[0]["fields"]


def test_lines_are_counted_over_all_prompts(folder):
    write(folder, "pairs.jsonl", *PAIRS)
    got = dump(folder, "-f", "pairs.jsonl", "-f", "pairs.jsonl", "--side", "corrupt")
    assert [prompt["fields"]["line"] for prompt in got] == [0, 1, 2, 3]


@pytest.mark.parametrize("selection, rows", [("embed#clean", [2, 0, 2, 0]), ("embed@-1#corrupt", [0, 1, 0, 1]), ("embed,-embed@0#clean", [1, 2, 1, 2]),
                                             ("embed#1:3", [0, 2, 2, 0])])
def test_a_side_selects_its_prompts(folder, selection, rows):
    write(folder, "pairs.jsonl", *PAIRS)
    done = weir(folder, "dump", "-m", "letters", "-f", "pairs.jsonl", *BOTH, "--hooks", selection, "--force", "-o", "p.h5")
    assert done.returncode == 0, done.stderr
    assert [len(prompt["positions"]) for prompt in ask(folder, "ls", "p.h5")["prompts"]] == rows


def test_lines_that_weir_printed_give_the_same_prompts_again(folder):
    before = dump(folder, "-f", write(folder, "pairs.jsonl", *PAIRS), *BOTH)
    again = [json.dumps({"ids": prompt["ids"], **prompt["fields"]}) for prompt in before]
    after = dump(folder, "-f", write(folder, "again.jsonl", *again))
    assert [(p["ids"], p["fields"]) for p in after] == [(p["ids"], p["fields"]) for p in before]
    done = weir(folder, "dump", "-m", "letters", "-f", "again.jsonl", "--hooks", "embed@at#clean", "--force", "-o", "p.h5")
    assert b"prompt 2: embed@at#clean: the prompt has no field 'at'; it has answer, side, line" in done.stderr


UNEQUAL = ('{"clean": "a cat", "corrupt": "a", "at": -1}',
           "weir: pairs.jsonl: line 1: clean has 2 tokens and corrupt has 1; they must have equally many, unless all positions are named by "
           "fields: |a| cat| and |a|\n")


def test_sides_of_unequal_lengths_are_shown(folder):
    write(folder, "pairs.jsonl", UNEQUAL[0])
    assert dump(folder, "-f", "pairs.jsonl", *BOTH, code=3) == UNEQUAL[1]
    long = json.dumps({"clean": "a" * 500, "corrupt": "b" * 499})
    said = dump(folder, "-f", write(folder, "long.jsonl", long), *BOTH, code=3)
    assert said.count("\n") == 1 and said.count("|...") == 2 and "a has 500" not in said and len(said) < 900


@pytest.mark.parametrize("options, fine", [(["embed@at"], True), (["embed@at,z@at[0]"], True), (["embed@at,z"], False), (["embed@at+0"], False),
                                           (["embed"], False), (["embed", "--positions", "at"], True), (["embed@at", "--positions", "0"], True),
                                           (["embed@0", "--positions", "0"], False)])
def test_sides_may_have_other_lengths_where_all_positions_are_named_by_field(folder, options, fine):
    write(folder, "pairs.jsonl", '{"clean": "a cat", "corrupt": "a", "at": 0}')
    done = weir(folder, "dump", "-m", "letters", "-f", "pairs.jsonl", *BOTH, "--hooks", *options, "--force", "-o", "p.h5")
    assert done.returncode == (0 if fine else 3), done.stderr


@pytest.mark.parametrize("line, says", [
    ('{"clean": "a"}', 'pairs.jsonl: line 1: the object has no "corrupt", which is the prompt of side corrupt'),
    ('{"clean": "a", "corrupt": null}', 'the object has no "corrupt"'),
    ('{"clean": 3, "corrupt": "a"}', "pairs.jsonl: line 1, column 11: a prompt must be a string, or a list of token ids"),
    ('{"clean": [1.5], "corrupt": "a"}', "pairs.jsonl: line 1, column 12: token ids must be a list of whole numbers"),
    ('{"clean": "a", "corrupt": "b", "side": 3}', 'pairs.jsonl: line 1, column 32: with --side, "side" and "line" say which prompt of '
                                                  "which line it is: rename this member"),
    ('{"clean": "a", "line": 3, "corrupt": "b"}', "column 16: with --side"),
    ("a cat", "pairs.jsonl: line 1, column 1: a JSON object is missing here"),
])
def test_what_is_no_pair_is_named(folder, line, says):
    said = dump(folder, "-f", write(folder, "pairs.jsonl", line), *BOTH, code=3)
    assert said.startswith("weir: ") and says in said and said.count("\n") == 1


@pytest.mark.parametrize("options, says", [
    (["--side", "9"], "--side: '9' is no name: write letters, digits and _, as in clean or sent=clean"),
    (["--side", "a b"], "--side: 'a b' is no name"), (["--side", "=x"], "--side: '' is no name"),
    (["--side", "base"], "--side: #base is a prompt without its edits: give this side another name, as in original=base"),
    (["--side", "x="], "--side: x= lacks the name of a member"), (["--side", "x", "--side", "x=y"], "--side: x is given twice"),
    (["--side", "clean", "-p", "a"], "--side reads members of lines of JSON, and --prompt is none: give them with -f or --line"),
    (["--side", "clean", "--tokens", "1"], "--side reads members of lines of JSON, and --tokens is none: give them with -f or --line"),
])
def test_sides_that_cannot_be_are_refused(folder, options, says):
    write(folder, "pairs.jsonl", *PAIRS)
    said = dump(folder, "-f", "pairs.jsonl", *options, code=2)
    assert said.startswith("weir: " + says) and said.count("\n") == 1


# ---- what would be large ----

def test_more_than_4_gb_are_asked_about(folder):
    """Plans only: nothing is written where the answer is no."""
    write(folder, "large.jsonl", *[json.dumps({"ids": [i % 200 for i in range(96)]})] * 12_000)
    for hooks, says in (("pattern,z", "of which pattern 5.3 GB: remove that from --hooks (leaving 682 MB)"),
                        ("pattern", "store fewer layers, heads or positions, as in --hooks pattern:0@-1")):
        done = weir(folder, "dump", "-m", "gpt2", "-f", "large.jsonl", "--hooks", hooks, "-o", "large.h5")
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1
        assert done.stderr.startswith(b"weir: large.h5 would take ") and says in done.stderr.decode() and b"--yes" in done.stderr
        assert not [path for path in folder.iterdir() if "large.h5" in path.name]


# ---- a detection pattern from standard input ----

def test_a_detection_pattern_may_come_from_standard_input(folder, tmp_path):
    import numpy as np
    n = 23
    matrix = np.tril(np.ones((n, n))) / np.arange(1, n + 1)[:, None]
    np.save(tmp_path / "m.npy", matrix)
    text = "\n".join(" ".join(map(str, row)) for row in matrix).encode()
    expected = ask(folder, "heads", "whole.h5", "--detect", tmp_path / "m.npy")
    for given in text, (tmp_path / "m.npy").read_bytes():
        done = weir(folder, "heads", "whole.h5", "--json", "--detect", "-", input=given)
        assert done.returncode == 0, done.stderr.decode()
        for got, want in zip(json.loads(done.stdout)["heads"], expected["heads"]):
            assert got["detect"] == pytest.approx(want["detect"], abs=1e-6)
    for wrong in b"", b"1 2\n3", b"\x93NUMPY":
        done = weir(folder, "heads", "whole.h5", "--detect", "-", input=wrong)
        assert done.returncode == 3 and done.stderr.startswith(b"weir: standard input: ") and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("positions, says", [
    (None, "2 prompts of up to 4 positions: "), ("-1", "2 prompts of up to 4 positions, 1 of them stored: "),
    ("1:", "2 prompts of up to 4 positions, up to 3 of them stored: ")])
def test_the_plan_tells_the_prompts_length_from_what_is_stored_of_them(folder, tmp_path, positions, says):
    done = weir(folder, "dump", "-m", "llama", "--tokens", "1,2,3,4", "--tokens", "5,6", "-o", tmp_path / "x.h5",
                *(["--positions", positions] if positions else []))
    assert done.returncode == 0 and says in done.stderr.decode(), done.stderr


# ---- what would pass without a word ----

@pytest.mark.parametrize("args, code, says", [
    (["dump", "-m", "letters", "-f", "array.json", "-o", "x.h5"], 2, "one object per line"),
    (["dump", "-m", "letters", "-p", "a", "--hooks", "", "-o", "x.h5"], 2, "--hooks is empty"),
    (["next", "one.h5", "--positions", "0"], 2, "--positions: prompt 0 stores none of them; it has 1, from 2 to 2"),
    (["next", "one.h5", "--positions", "9"], 2, "prompt 0: position 9 is out of range"),
    (["attn", "whole.h5", "--layer", "0", "--head", "0", "--png", "-", "--svg", "-"], 2, "only one of --png, --svg and --html"),
])
def test_what_nobody_can_mean_is_refused(folder, args, code, says):
    write(folder, "array.json", b'[{"prompt": "a"}, {"prompt": "b"}]')
    weir(folder, "dump", "-m", "letters", "-p", "cab", "--hooks", "embed@-1", "--next", "2", "--force", "-o", "one.h5")
    done = weir(folder, *args)
    assert done.returncode == code and says in done.stderr.decode() and not done.stdout, done


def test_a_line_that_is_given_by_itself_is_a_line_of_a_file(tmp_path):
    lines = ['{"prompt": "the walk", "n": 12345678901234567890, "at": [0]}', '{"ids": [5, 7, 9]}']
    (tmp_path / "p.jsonl").write_text("\n".join(lines) + "\n")
    given = [word for line in lines for word in ("--line", line)]
    for name, prompts in ("file", ["-p", "a", "-f", "p.jsonl"]), ("lines", ["-p", "a", *given]):
        done = weir(tmp_path, "dump", *prompts, "--hooks", "resid_pre@-1", "-o", f"{name}.h5")
        assert done.returncode == 0, done.stderr
    assert weir(tmp_path, "ls", "file.h5", "--json").stdout.replace(b"file.h5", b"lines.h5") == weir(tmp_path, "ls", "lines.h5", "--json").stdout
    with h5py.File(tmp_path / "lines.h5") as file:
        assert b"12345678901234567890" in file["prompts/fields"][1]


def test_a_pair_that_is_given_by_itself_is_a_line_of_a_file(tmp_path):
    line = '{"clean": [5, 7, 9], "corrupt": [5, 8, 9], "answer": 3, "wrong": 4}'
    (tmp_path / "p.jsonl").write_text(line + "\n")
    for args in (["patch", "-m", FIXTURES / "gpt2", "--csv"], ["run", "-m", FIXTURES / "gpt2", "--side", "clean", "--side", "corrupt", "--csv"]):
        one, other = (weir(tmp_path, *args, *how) for how in (["--pairs" if args[0] == "patch" else "-f", "p.jsonl"], ["--line", line]))
        assert one.returncode == 0 and one.stdout == other.stdout, other.stderr


def test_a_line_that_is_no_prompt_is_refused_with_its_column(tmp_path):
    done = weir(tmp_path, "run", "-p", "a", "--line", '{"prompt": 3}')
    assert done.returncode == INPUT and done.stderr == b"weir: --line, column 12: a prompt must be a string\n"
