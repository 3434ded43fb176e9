"""-0 is 0, as in Python, wherever a number or a slice is read: never the last one."""
import subprocess

import h5py
import pytest

from program import ROOT, WEIR

MODEL = ROOT / "tests/model/fixtures/gpt2"


def weir(folder, *args):
    """standard output with what was written, where --output names it; a failure shows what was said"""
    done = subprocess.run([WEIR, *map(str, args)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"weir {' '.join(map(str, args))}: {done.stderr}"
    out = folder / args[args.index("-o") + 1] if "-o" in args else None
    return done.stdout + (out.read_text() if out and out.suffix in (".csv", ".html") else "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """three prompts of different lengths, with every point"""
    folder = tmp_path_factory.mktemp("slices")
    weir(folder, "dump", "-m", MODEL, "--tokens", "1,2,3,4", "--tokens", "5,6,7", "--tokens", "8,9", "--hooks", "*", "-o", "run.h5")
    return folder


# {} is a number: what 0 names has to be what -0 names, and something else than what -1 does
READERS = {
    "a layer": ("show", "run.h5", "z:{}"),
    "a head": ("show", "run.h5", "z:1.{}"),
    "a position": ("show", "run.h5", "resid_post:1@{}"),
    "an index": ("show", "run.h5", "z[{}, 1, 1]"),
    "an index's last axis": ("show", "run.h5", "resid_post[1, 0, 1, {}]"),
    "a prompt to show": ("show", "run.h5", "resid_post:1", "--prompt", "{}"),
    "a prompt to export": ("export", "run.h5", "resid_post:1", "--prompt", "{}", "-o", "-", "--format", "csv"),
    "attn's layer": ("attn", "run.h5", "--layer", "{}", "--json"),
    "attn's head": ("attn", "run.h5", "--head", "{}", "--json"),
    "attn's prompt": ("attn", "run.h5", "--prompt", "{}", "--json"),
    "attn's query": ("attn", "run.h5", "--query", "{}", "--json"),
    "attn's key": ("attn", "run.h5", "--key", "{}", "--json"),
    "a list with other numbers": ("attn", "run.h5", "--layer", "1+{}", "--json"),
    "heads' layer": ("heads", "run.h5", "--layer", "{}", "--csv"),
    "heads' head": ("heads", "run.h5", "--head", "{}", "--csv"),
    "heads' prompt": ("heads", "run.h5", "--prompt", "{}", "--csv"),
}
SLICES = {       # Python's own: [-0:2] is [0:2], [:-0] and [0:-0] are empty, [-1:-0] too
    "a slice of layers": ("show", "run.h5", "z:{}:2"),
    "a slice of positions": ("show", "run.h5", "resid_post:1@{}:2"),
    "a slice in brackets": ("show", "run.h5", "resid_post[1, 0, {}:2]"),
    "attn's slice": ("attn", "run.h5", "--layer", "{}:2", "--json"),
}


def said(folder, args, number):
    return weir(folder, *(word.format(number) for word in args))


@pytest.mark.parametrize("reader", READERS)
def test_minus_zero_names_the_first(folder, reader):
    first, minus, last = (said(folder, READERS[reader], number) for number in ("0", "-0", "-1"))
    assert minus == first != last


@pytest.mark.parametrize("reader", SLICES)
def test_a_slice_from_minus_zero_is_one_from_zero(folder, reader):
    first, minus = (said(folder, SLICES[reader], number) for number in ("0", "-0"))
    assert minus == first


@pytest.mark.parametrize("hooks, positions", [("z:{}", None), ("z:1.{}", None), ("resid_post@{}", None), ("resid_post", "{}"),
                                              ("resid_post@{}:2", None), ("z:{}:2", None)])
def test_dump_stores_for_minus_zero_what_it_stores_for_zero(folder, hooks, positions):
    for number in "0", "-0":
        more = ["--positions", positions.format(number)] if positions else []
        weir(folder, "dump", "-m", MODEL, "--tokens", "1,2,3,4", "--hooks", hooks.format(number), *more, "-o", f"{number}.h5", "--force")
    assert weir(folder, "diff", "0.h5", "./-0.h5") == weir(folder, "diff", "0.h5", "0.h5")


@pytest.mark.parametrize("hooks, positions, kept", [("resid_post@1:4", "0:3", [1, 2]), ("resid_post@-1", "2:", [3]),
                                                    ("z:0@0,resid_post@3", "1:", [3]), ("resid_post", "::2", [0, 2])])
def test_dump_stores_what_a_selections_positions_and_those_of_all_both_name(folder, hooks, positions, kept):
    weir(folder, "dump", "-m", MODEL, "--tokens", "1,2,3,4", "--hooks", hooks, "--positions", positions, "-o", "both.h5", "--force")
    with h5py.File(folder / "both.h5") as file:
        assert file["tokens/position"][0].tolist() == kept
