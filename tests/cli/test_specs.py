"""Run specs: a document does what the options do that it stands for, and the program and a JSON Schema library agree on which are valid."""
import copy
import json
import random
import re
import shlex
import shutil
import subprocess
import sys

import h5py
import jsonschema
import numpy as np
import pytest

from program import FIXTURES, INPUT, ROOT, USAGE, WEIR, weir

SCHEMA = json.loads((ROOT / "schemas/run.schema.json").read_text())
EXAMPLES = ROOT / "schemas/examples/run"
COMMANDS = ("run", "dump", "patch")
WHOLE = jsonschema.Draft202012Validator(SCHEMA)
OF_COMMAND = {name: jsonschema.Draft202012Validator({**SCHEMA["$defs"][name], "$defs": SCHEMA["$defs"]}) for name in COMMANDS}


def once(pairs):
    """for json.loads: names that are there twice are refused, as weir does"""
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), names
    return dict(pairs)


def fits(spec, command):
    return WHOLE.is_valid(spec) and OF_COMMAND[command].is_valid(spec)


def command_of(path):
    return path.stem.split("_")[1]


@pytest.fixture
def tree(tmp_path):
    """The examples beside what they name, in a copy that may be written to -> their folder."""
    shutil.copytree(EXAMPLES, tmp_path / "schemas/examples/run")
    (tmp_path / "models").symlink_to(ROOT / "models")
    return tmp_path / "schemas/examples/run"


def write(folder, spec, name="spec.json"):
    (folder / name).write_text(spec if isinstance(spec, str) else json.dumps({"weir_spec": 1, **spec}))
    return name


# ---- the schema and the table are made from the table of fields ----


def test_the_schema_is_a_schema_and_what_weir_prints(tmp_path):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert weir(tmp_path, "schema", "run").stdout == (ROOT / "schemas/run.schema.json").read_bytes(), \
        "run: weir schema run > schemas/run.schema.json"


def test_the_schema_of_stored_files_is_printed_as_it_is(tmp_path):
    assert weir(tmp_path, "schema", "store").stdout == (ROOT / "schemas/store.schema.json").read_bytes()


def test_the_table_of_the_documents_is_what_weir_prints(tmp_path):
    table = weir(tmp_path, "schema", "run", "--markdown").stdout.decode()
    assert table in (ROOT / "docs/run-specs.md").read_text(), "put there: weir schema run --markdown"


def test_every_option_of_the_three_commands_has_a_field(tmp_path):
    rows = [line.split(" | ") for line in weir(tmp_path, "schema", "run", "--markdown").stdout.decode().splitlines()[2:]]
    fields = {(command, option) for _, _, commands, options, _ in rows for command in commands.split() for option in re.findall(r"`--([\w-]+)`", options)}
    for command in COMMANDS:
        section = (ROOT / "docs/cli.md").read_text().split(f"\n## weir {command}\n")[1].split("\n## ")[0]
        options = set(re.findall(r"^\| (?:`-\w`, )?`--([\w-]+)", section, re.M)) - {"help", "pull"}     # a document fetches nothing
        pair = {"clean", "corrupt", "answer", "wrong"} if command == "patch" else set()     # members of "pairs"
        assert options - pair == {option for its, option in fields if its == command and option in options}, "add a row to cli/spec/fields.c"


def test_the_examples_are_up_to_date(tmp_path):
    script = tmp_path / "schemas/make_run_examples.py"
    script.parent.mkdir()
    shutil.copy(ROOT / "schemas/make_run_examples.py", script)
    (tmp_path / "models").symlink_to(ROOT / "models")
    subprocess.run([sys.executable, script], check=True)
    made = {path.name: path.read_bytes() for path in (tmp_path / "schemas/examples/run").iterdir()}
    assert made == {path.name: path.read_bytes() for path in EXAMPLES.iterdir()}, "run: python3 schemas/make_run_examples.py"


# ---- the examples ----


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("valid*.json")), ids=lambda path: path.stem)
def test_a_valid_example_runs_and_fits_the_schema(tree, path):
    assert fits(json.loads(path.read_text(), object_pairs_hook=once), command_of(path))
    done = weir(tree, command_of(path), path.name)
    assert done.returncode == 0 and (done.stdout or b" in " in done.stderr), done.stderr


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("invalid*.json")), ids=lambda path: path.stem)
def test_an_invalid_example_is_refused_with_its_path_and_does_not_fit_the_schema(tree, path):
    spec = json.loads(path.read_text(), object_pairs_hook=once)
    assert not fits(spec, command_of(path))
    done = weir(tree, command_of(path), path.name)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (INPUT, b"", f"weir: {path.name}: {spec['note']}\n")


def places(value, path=()):
    """every path into a document, but that of the whole"""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def at(spec, path):
    for key in path:
        spec = spec[key]
    return spec


# have a grammar, of which the schema knows nothing
TEXTS = {("edits",), ("ablate",), ("metrics",), ("capture", "hooks"), ("capture", "positions"), ("next", "positions"), ("sweep", "at")}
VALUES = [None, True, 7, -1.5, "x", "", [], {}, [["x"]], [7], {"select": "z", "op": "=", "value": "0"}]


def beyond_structure(spec, path, new):
    """True for what a schema cannot know: the grammar of texts, and which members are the sides of pairs"""
    inside = "sides" in spec and path[0] in ("prompts", "pairs", "sides") and (len(path) > 1 or isinstance(new, dict))
    return inside or (not TEXTS.isdisjoint({path[:1], path[:2]}) and isinstance(new, (str, list)) and new not in ("", [])) or (path[0] == "sides" and new == "x")


def mutants(spec):
    """the document with a field dropped, renamed, of another type, or once more within another"""
    for path in places(spec):
        where, key = path[:-1], path[-1]
        for new in VALUES:
            if not beyond_structure(spec, path, new):
                mutant = copy.deepcopy(spec)
                at(mutant, where)[key] = new
                yield path, new, mutant
        if "sides" in spec and path[0] in ("prompts", "pairs"):
            continue
        mutant = copy.deepcopy(spec)
        old = at(mutant, where).pop(key)
        yield path, "dropped", copy.deepcopy(mutant)
        if isinstance(key, str):
            at(mutant, where)[key + "s"] = old
            yield path, "renamed", mutant


def is_taken(folder, command, text):
    """Whether weir takes a spec: it then looks for a model that is not there, or misses an option."""
    (folder / "spec.json").write_text(text)
    done = weir(folder, command, "spec.json", "-m", "/nowhere")
    assert done.returncode in (USAGE, INPUT) and done.stderr.count(b"\n") == 1, done
    return not done.stderr.startswith(b"weir: spec.json: ")


@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("valid*.json")), ids=lambda path: path.stem)
def test_the_schema_and_the_program_agree_on_mutants(tree, path, step):
    """all of them with step 1"""
    spec = json.loads(path.read_text())
    unlike, n, n_taken = [], 0, 0
    for where, new, mutant in list(mutants(spec))[::step]:
        for command in {command_of(path), random.Random(str((where, new))).choice(COMMANDS)}:
            taken = is_taken(tree, command, json.dumps(mutant))
            n, n_taken = n + 1, n_taken + taken
            if taken != fits(mutant, command):
                unlike.append((command, where, new, taken))
    assert not unlike and n * step > 150 and 0 < n_taken < n / 2, (n, n_taken, unlike[:5])


# ---- hostile documents ----


@pytest.mark.parametrize("text, says", [
    ("", 'line 1, column 1: a run spec is a JSON object: {"weir_spec": 1, ...}'),
    ("[1]", 'line 1, column 1: a run spec is a JSON object: {"weir_spec": 1, ...}'),
    ('{"weir_spec": 1,\n "prompts": ["a"\n}', "line 3, column 1: a comma or ] is missing here"),
    ('{"weir_spec": 1,\n "note": "a\nb"}', r"line 2, column 12: a control character in a string: write it as \n, \t or \uXXXX"),
    ('{"weir_spec": 1, "note": "\\u0000"}', r"line 1, column 27: \u0000 in a string is not supported"),
    ('{"weir_spec": 1, "note": "\x00"}', r"line 1, column 27: a control character in a string: write it as \n, \t or \uXXXX"),
    ('{"weir_spec": 1}\x00', "line 1, column 17: there is text after the object"),
    ('{"weir_spec": 1} {}', "line 1, column 18: there is text after the object"),
    ('{"weir_spec": 1, "threads": 01}', "line 1, column 29: this is not a valid JSON number"),
    ('{"weir_spec": 1, "threads": NaN}', "line 1, column 29: a value is missing here: a string, a number, true, false, null, [...] or {...}"),
    ('{"weir_spec": 1, "prompts": ' + "[" * 10**5, "line 1, column 92: nested deeper than 64"),
    ('{"weir_spec": 1, "prompts": [{"prompt": "a", "x": ' + "[" * 62 + "]" * 62 + "}]}", "line 1, column 112: nested deeper than 64"),
    ('{"weir_spec": 1, "threads": 1e999}', "threads: this must be a whole number from 1 to 256"),
    ('{"weir_spec": 1e0, "threads": 1' + "0" * 10**5 + "}", "threads: this must be a whole number from 1 to 256"),
    ('{"weir_spec": true}', "weir_spec: true is no version of the format that this weir reads, which is 1"),
    ('{"weir_spec": 1, "note": "a", "note": "b"}', "note: the field is there twice"),
    ('{"weir_spec": 1, "output": {"csv": true, "csv": true}}', "output.csv: the field is there twice"),
    ('{"weir_spec": 1, "edits": [{"select": "z", "op": "=", "value": 0, "op": "="}]}', 'edits[0]: the edit has two members "op"'),
    ('{"weir_spec": 1, "prompts": {"prompt": "a",\n\n  "prompt": "b"}}', "prompts: line 3, column 3: the object has this name twice"),
    ('{"weir_spec": 1, "edits": "{\\"select\\": 1}"}', "edits: an edit in JSON is an object here, not a text with an object in it"),
    ('{"weir_spec": 1, "edits": ["z = 0", "z == 0"]}', "edits[1]: character 4: '=' is no file: files have a . or a /, or quotes"),
    ('{"weir_spec": 1, "edits": {"select": "zz", "op": "=", "value": 0}}', "edits.select: character 1: no hook point is called 'zz'; the nearest: z"),
    ('{"weir_spec": 1, "capture": {"hooks": ["z", "-z:1", "zz"]}}', "capture.hooks: no hook point is called 'zz'; the nearest: z"),
    ('{"weir_spec": 1, "next": {"positions": "1:2:3:4"}}', None),
    ('{"weir_spec": 1, "metrics": ["loss", "los"]}', "metrics[1]: character 1: 'los' is no measure and no hook point; the nearest: loss"),
    ('{"weir_spec": 1, "' + "a\\u001b[31m" * 100 + '": 1}', None),
])
def test_what_is_wrong_is_named_in_one_line(tmp_path, text, says):
    (tmp_path / "spec.json").write_text(text, newline="")
    done = weir(tmp_path, "run", "spec.json", seconds=20)
    said = done.stderr.decode()
    assert done.returncode == INPUT and said.count("\n") == 1 and "\x1b" not in said, done
    assert says is None or said == f"weir: spec.json: {says}\n"


def test_bytes_that_are_no_text_are_refused_and_a_mark_in_front_is_no_part(tmp_path):
    (tmp_path / "spec.json").write_bytes(b'{"weir_spec": 1,\n "note": "caf\xe9"}')
    assert weir(tmp_path, "run", "spec.json").stderr == b"weir: spec.json: line 2, column 14: this is not UTF-8\n"
    (tmp_path / "spec.json").write_bytes(b'\xef\xbb\xbf{"weir_spec": 1, "prompts": "a"}')
    assert weir(tmp_path, "run", "spec.json").returncode == 0


@pytest.mark.parametrize("name", ["nothing.json", "The capital of France is"])
def test_a_file_that_is_not_there_may_have_been_meant_as_a_prompt(tmp_path, name):
    done = weir(tmp_path, "run", name)
    assert done.returncode == INPUT
    assert done.stderr.decode() == f"weir: {name}: there is no such file: weir run takes a run spec here, and prompts by options\n"


# ---- what a spec does is what its options do ----

GPT2 = str(FIXTURES / "gpt2")
SAME = [
    ({"prompts": ["a", "b"], "next": {"top": 2, "positions": ":"}}, "run -p a -p b --top 2 --positions :"),
    ({"model": GPT2, "prompts": [[5, 7, 9], [3]], "output": {"csv": True}}, f"run -m {GPT2} --tokens 5,7,9 --tokens 3 --csv"),
    ({"prompts": {"prompt": "a walk", "at": " walk"}, "next": {"positions": "at"}}, """run --line '{"prompt":"a walk","at":" walk"}' --positions at"""),
    ({"model": GPT2, "prompts": [[5, 7]], "edits": ["z:0.1 = 0", {"select": "z:1", "op": "*=", "value": 1e-3}], "ablate": ["mlp_post:0"],
      "metrics": ["entropy", "logit(3)"], "against": "base"},
     f"run -m {GPT2} --tokens 5,7 --ablate mlp_post:0 --edit 'z:0.1 = 0' --edit 'z:1 *= 0.001' --metric entropy --metric 'logit(3)' --against base"),
    ({"model": GPT2, "pairs": [{"clean": [5, 7], "corrupt": [6, 7]}], "edits": "z:0#corrupt = [#clean]", "output": {"json": True}},
     f"""run -m {GPT2} --side clean --side corrupt --line '{{"clean":[5,7],"corrupt":[6,7]}}' --edit 'z:0#corrupt = [#clean]' --json"""),
    ({"model": GPT2, "process": ["fold_ln", "center_unembed"], "bos": "no", "prompts": [[5]], "threads": 1},
     f"run -m {GPT2} --process fold_ln,center_unembed --bos no --tokens 5 --threads 1"),
    ({"model": GPT2, "pairs": {"clean": [5, 7], "corrupt": [6, 7], "answer": 1, "wrong": 2}, "sweep": {"at": ["resid_pre", "z:0"], "direction": "noise"},
      "output": {"csv": True}},
     f"""patch -m {GPT2} --line '{{"clean":[5,7],"corrupt":[6,7],"answer":1,"wrong":2}}' --at resid_pre,z:0 --direction noise --csv"""),
]


@pytest.mark.parametrize("spec, options", SAME)
def test_a_spec_prints_what_its_options_print(tmp_path, spec, options):
    words = shlex.split(options)
    given, said = weir(tmp_path, *words), weir(tmp_path, words[0], write(tmp_path, spec))
    assert given.returncode == 0 and said.stdout == given.stdout, said.stderr
    piped = weir(tmp_path, words[0], "-", input=(tmp_path / "spec.json").read_bytes())
    assert piped.stdout == given.stdout, piped.stderr


def test_fields_act_in_one_order_whatever_order_they_are_written_in(tmp_path):
    spec = {"weir_spec": 1, "prompts": ["a"], "ablate": "z:0", "edits": ["z:0 += 1", "z:0 *= 2"], "metrics": "entropy"}
    texts = [json.dumps(spec), json.dumps(dict(reversed(spec.items()))), json.dumps(spec, sort_keys=True, indent=3)]
    answers = {weir(tmp_path, "run", write(tmp_path, text)).stdout for text in texts}
    assert len(answers) == 1 and answers != {weir(tmp_path, "run", "-p", "a").stdout}


def test_options_beside_a_spec_replace_its_own_or_are_added_where_they_repeat(tmp_path):
    name = write(tmp_path, {"model": "nowhere", "prompts": ["a"], "metrics": ["entropy"], "next": {"top": 9}, "output": {"json": True}})
    options = "-m", GPT2, "--tokens", "5", "--metric", "logit(3)", "--top", "2"
    (tmp_path / "spec.json").write_text((tmp_path / "spec.json").read_text().replace('"a"', "[3, 4]"))
    beside = weir(tmp_path, "run", name, *options)
    alone = weir(tmp_path, "run", "-m", GPT2, "--tokens", "3,4", "--tokens", "5", "--metric", "entropy", "--metric", "logit(3)", "--top", "2", "--json")
    assert beside.returncode == 0 and beside.stdout == alone.stdout, beside.stderr
    assert weir(tmp_path, "run", *options, name).stdout == alone.stdout, "wherever the spec stands"


def test_a_spec_may_hold_a_part_and_the_command_line_the_rest(tmp_path):
    name = write(tmp_path, {"capture": {"hooks": "z"}})
    assert weir(tmp_path, "dump", name).stderr.startswith(b"weir: --output is missing; ")
    assert weir(tmp_path, "dump", name, "-o", "z.h5").stderr.startswith(b"weir: there are no prompts: ")
    assert weir(tmp_path, "dump", name, "-o", "z.h5", "-p", "a").returncode == 0
    with h5py.File(tmp_path / "z.h5") as file:
        assert list(file["activations"]) == ["z"]


# ---- files ----


def width_of(model):
    return json.loads((model / "config.json").read_text())["n_embd"]


def test_files_are_those_of_the_specs_folder(tmp_path):
    inner = tmp_path / "specs/inner folder"
    inner.mkdir(parents=True)
    shutil.copytree(FIXTURES / "gpt2", tmp_path / "specs/m")
    np.save(inner / "d.npy", np.ones(width_of(FIXTURES / "gpt2"), np.float32))
    (inner / "p.jsonl").write_text('{"ids": [5, 7, 9]}\n')
    (inner / "pairs.jsonl").write_text('{"clean": [5, 7], "corrupt": [6, 7], "answer": 1, "wrong": 2}\n')
    write(inner, {"model": "../m", "prompt_files": "p.jsonl", "output": {"file": "ref.h5"}}, "ref.json")
    assert weir(tmp_path, "dump", "specs/inner folder/ref.json").returncode == 0 and (inner / "ref.h5").exists()
    write(inner, {"model": "../m", "prompt_files": ["p.jsonl"], "ablate": "z:0=ref.h5", "metrics": "dot([resid_post:1], d.npy) - 2 * dot([resid_pre:1], 'd.npy')",
                  "edits": ["resid_pre:1 += 2 * 'd.npy' keeping norm", "resid_post:0 = mean(ref.h5[#:]) along d.npy",
                                                          {"select": "resid_pre:2", "op": "=", "value": 0, "along": f"'{inner}/d.npy'"}]})
    from_inside, from_above = weir(inner, "run", "spec.json"), weir(tmp_path, "run", "specs/inner folder/spec.json")
    assert from_inside.returncode == 0 and from_above.stdout == re.sub(b"'?d.npy'?", b'"specs/inner folder/d.npy"', from_inside.stdout), from_above.stderr
    write(inner, {"model": "../m", "pair_files": "pairs.jsonl", "output": {"file": "g.h5", "svg": "g.svg", "png": "g.png"}}, "patch.json")
    assert weir(tmp_path, "patch", "specs/inner folder/patch.json").returncode == 0
    assert {"g.h5", "g.svg", "g.png"} < {path.name for path in inner.iterdir()}


def test_whole_names_stay(tmp_path):
    (tmp_path / "specs").mkdir()
    name = write(tmp_path, {"model": GPT2, "prompts": [[5]], "prompt_files": str(tmp_path / "p.jsonl"), "output": {"file": str(tmp_path / "o.h5")}}, "specs/spec.json")
    (tmp_path / "p.jsonl").write_text('{"ids": [5, 7]}\n')
    assert weir(tmp_path, "dump", name).returncode == 0 and (tmp_path / "o.h5").exists()


def test_a_model_that_is_not_in_the_folder_is_looked_for_as_it_is_named(tmp_path):
    (tmp_path / "specs").mkdir()
    name = write(tmp_path, {"model": "org/name", "prompts": "a"}, "specs/spec.json")
    assert b"weir: org/name" in weir(tmp_path, "run", name).stderr
    (tmp_path / "specs/org").mkdir()
    (tmp_path / "specs/org/name").symlink_to(ROOT / "models/rill")
    assert weir(tmp_path, "run", name).returncode == 0


def test_standard_input_is_the_spec_or_prompts(tmp_path):
    name = write(tmp_path, {"prompt_files": "-"})
    assert weir(tmp_path, "run", name, input=b"a\n").stdout == weir(tmp_path, "run", "-p", "a").stdout
    done = weir(tmp_path, "run", "-", input=(tmp_path / name).read_bytes())
    assert done.returncode == USAGE and done.stderr == b"weir: standard input is the run spec, and cannot be read for --file too\n"


@pytest.mark.parametrize("command, spec", [
    ("dump", {"prompts": ["a 'b' \"c\"", *["the walk to the house"] * 200, [5, 6], {"prompt": "d\n", "n": 12345678901234567890}], "edits": ["z:0 = 0"], "capture": {"hooks": ["z", "resid_pre:1"], "next": 2}}),
    ("run", {"pairs": {"clean": "a", "corrupt": "b"}, "edits": [{"select": "z:0#corrupt", "op": "=", "value": "[#clean]"}]}),
    ("patch", {"pairs": {"clean": "a", "corrupt": "b", "answer": 1, "wrong": 2}, "sweep": {"at": "z"}}),
])
def test_a_file_tells_the_command_line_that_makes_it_again(tmp_path, command, spec):
    name = write(tmp_path, {**spec, "model": "nowhere", "output": {"file": "first.h5"}})
    assert weir(tmp_path, command, name, "-m", ROOT / "models/rill").returncode == 0
    with h5py.File(tmp_path / "first.h5") as file:
        words = shlex.split(file.attrs["command"].replace("first.h5", "again.h5"))
    assert weir(tmp_path, *words[1:]).returncode == 0
    assert weir(tmp_path, "diff", "first.h5", "again.h5").returncode == 0
    with h5py.File(tmp_path / "first.h5") as one, h5py.File(tmp_path / "again.h5") as other:
        names = []
        one.visit(names.append)
        for name in names:
            if isinstance(one[name], h5py.Dataset):
                np.testing.assert_array_equal(one[name][()], other[name][()], name)
        assert {key: one.attrs[key] for key in one.attrs if key not in ("command", "created")} == \
               {key: other.attrs[key] for key in other.attrs if key not in ("command", "created")}
