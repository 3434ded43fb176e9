"""Standard input, output and error closed, in all combinations, before weir starts: what is written is what is written
with them open, and what a closed stream cannot take is an error of one line or, where there is nothing to say, none.
"""
import itertools
import subprocess

import pytest

from program import ROOT, WEIR

GPT2 = str(ROOT / "tests/model/fixtures/gpt2")
IDS = ",".join(str(i % 50) for i in range(30))
CLOSED = [c for n in (1, 2, 3) for c in itertools.combinations((0, 1, 2), n)]


def run(args, closed=(), **options):
    """as a shell does it: weir ARGS 0<&- 1>&- 2>&-"""
    words = " ".join({0: "0<&-", 1: "1>&-", 2: "2>&-"}[fd] for fd in closed)
    return subprocess.run(["sh", "-c", f'exec "$@" {words}', "sh", WEIR, *map(str, args)], capture_output=True, **options)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "run.h5"
    assert run(["dump", "-m", GPT2, "--tokens", IDS, "-o", path, "--next", 3]).returncode == 0
    return path


WRITERS = {
    "dump": lambda stored, out: ["dump", "-m", GPT2, "--tokens", IDS, "-o", f"{out}.h5"],
    "npy": lambda stored, out: ["export", stored, "pattern", "-o", f"{out}.npy"],
    "npz": lambda stored, out: ["export", stored, "pattern,z", "-o", f"{out}.npz"],
    "csv": lambda stored, out: ["export", stored, "pattern:0", "-o", f"{out}.csv"],
    "png": lambda stored, out: ["attn", stored, "--png", f"{out}.png"],
    "svg": lambda stored, out: ["attn", stored, "--svg", f"{out}.svg"],
    "html": lambda stored, out: ["attn", stored, "--html", f"{out}.html"],
    "view": lambda stored, out: ["view", stored, "-o", f"{out}.html"],
}


def only_file(folder):
    files = list(folder.iterdir())
    assert len(files) == 1, files
    return files[0]


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_is_the_same_whatever_is_closed(tmp_path, stored, writer, closed):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    done = run(WRITERS[writer](stored, tmp_path / "a/out"), closed)
    assert done.returncode == 0, done
    assert run(WRITERS[writer](stored, tmp_path / "b/out")).returncode == 0
    one, other = only_file(tmp_path / "a"), only_file(tmp_path / "b")
    if writer == "dump":       # holds the time and the command
        assert run(["validate", one]).returncode == 0
        assert run(["diff", one, other]).returncode == 0
    else:
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("query", [["ls"], ["stats"], ["show", "pattern:0"], ["attn", "--json"], ["validate"]],
                         ids=lambda q: q[0])
def test_an_answer_that_standard_output_cannot_take_is_an_error(stored, query, closed):
    args = [query[0], stored, *query[1:]]
    done = run(args, closed)
    if 1 not in closed:
        assert (done.returncode, done.stdout) == (0, run(args).stdout)
    else:
        assert done.returncode == 5
        said = b"" if 2 in closed else b"weir: could not write to standard output: Bad file descriptor\n"
        assert done.stderr == said and done.stdout == b""


@pytest.mark.parametrize("closed", [c for c in CLOSED if 1 in c])
def test_an_export_to_a_closed_standard_output_is_an_error(stored, closed):
    done = run(["export", stored, "pattern", "--format", "csv", "-o", "-"], closed)
    assert done.returncode == 5
    assert 2 in closed or done.stderr == b"weir: standard output: cannot be written: Bad file descriptor\n"


@pytest.mark.parametrize("closed", [c for c in CLOSED if 0 in c])
def test_prompts_from_a_closed_standard_input_are_an_error(tmp_path, closed):
    done = run(["dump", "-f", "-", "-o", tmp_path / "out.h5"], closed)
    assert done.returncode == 3
    assert 2 in closed or done.stderr == b"weir: standard input: Bad file descriptor\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", CLOSED)
def test_what_a_failing_dump_says_goes_into_no_file(tmp_path, closed):
    """the message of an error, which comes while the file is open"""
    done = run(["dump", "-m", GPT2, "--tokens", IDS, "-o", tmp_path / "out.h5", "--force"], closed,
               preexec_fn=lambda: __import__("resource").setrlimit(__import__("resource").RLIMIT_FSIZE, (4096, 4096)))
    assert done.returncode == 5 and list(tmp_path.iterdir()) == []
