"""`weir dump --compute bf16|int8`: what it says about its error is what its error is."""
import json
import os
import subprocess

import h5py
import numpy as np
import pytest

import prompts
from cache import FIXTURES, WEIR

COMPARED = 16          # positions that weir compares
LEAST = 256            # positions in all from which on fewer bits are used
FAMILIES = "gpt2 llama mixtral falcon_alibi gemma2".split()
FLAGS = open("/proc/cpuinfo").read()
MOST = {"bf16": 0.03, "int8": 0.2}    # of a value's norm: a wrong scale or layout errs by more than all of it
NEEDS = {"bf16": "avx512_bf16", "int8": "avx512_vnni"}

here = pytest.mark.parametrize("compute", [pytest.param(name, marks=pytest.mark.skipif(
    flag not in FLAGS or "avx512bw" not in FLAGS, reason=f"the processor lacks {flag}")) for name, flag in NEEDS.items()])


def weir(*args, **env):
    return subprocess.run([WEIR, *map(str, args)], env=os.environ | env, capture_output=True, text=True)


def dump(out, model, n, *options, **env):
    """n prompts of 90 tokens each, all but the derivable points"""
    words = [word for i in range(n) for word in ("--tokens", ",".join(str((t + 3 * i) % 90) for t in prompts.tokens(90)))]
    return weir("dump", "-m", FIXTURES / model, *words, "--hooks", "*", "--force", "-o", out, *options, **env)


def first_positions(file, name):
    """of a stored point: layers first, the first positions of the first prompt"""
    data = file["activations"][name]
    axes = [dim.label for dim in data.dims]
    cut = tuple(0 if axis == "prompt" else slice(COMPARED) if axis in ("pos", "query", "key") else slice(None) for axis in axes)
    value = data[cut].astype("f8")
    return value if "layer" in axes else value[None]


def distance(exact, value):
    exact, value = (np.where(np.isfinite(exact), x, 0) for x in (exact, value))
    return max(np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in zip(exact, value) if np.linalg.norm(a) > 0)


@here
@pytest.mark.parametrize("family", FAMILIES)
def test_the_error_stated_is_the_error_measured(family, compute, tmp_path):
    assert dump(tmp_path / "exact.h5", family, 4).returncode == 0
    done = dump(tmp_path / "narrow.h5", family, 4, "--compute", compute)
    assert done.returncode == 0 and f"{compute} against float32" in done.stderr, done.stderr
    with h5py.File(tmp_path / "exact.h5") as exact, h5py.File(tmp_path / "narrow.h5") as narrow:
        assert narrow.attrs["compute"] == compute and "compute" not in exact.attrs
        for name, data in narrow["activations"].items():
            if name == "expert_indices":
                assert "compute_error" not in data.attrs
                continue
            found = distance(first_positions(exact, name), first_positions(narrow, name))
            assert data.attrs["compute_error"] == pytest.approx(found, rel=1e-6, abs=1e-9), name
            assert "compute_error" not in exact["activations"][name].attrs
        error = narrow["activations/resid_post"].attrs["compute_error"]
        assert 1e-5 < error < (1 if "router" in narrow["activations"] else MOST[compute])    # an expert chosen otherwise is much
    assert weir("validate", tmp_path / "narrow.h5").returncode == 0
    assert json.loads(weir("info", tmp_path / "narrow.h5", "--json").stdout)["compute"] == compute


@here
def test_a_prompt_comes_out_the_same_whatever_stands_beside_it(compute, tmp_path):
    for n in 3, 5:
        assert dump(tmp_path / f"{n}.h5", "llama", n, "--compute", compute).returncode == 0
    with h5py.File(tmp_path / "3.h5") as few, h5py.File(tmp_path / "5.h5") as many:
        for name in few["activations"]:
            a, b = few["activations"][name], many["activations"][name]
            axis = [dim.label for dim in a.dims].index("prompt")
            assert np.array_equal(a[:], b[:].take(range(3), axis), equal_nan=True), name


@here
def test_prompts_too_short_to_gain_are_computed_in_float32_and_it_is_said(compute, tmp_path):
    done = dump(tmp_path / "short.h5", "llama", LEAST // 90, "--compute", compute)
    assert done.returncode == 0 and "computed in float32" in done.stderr
    assert dump(tmp_path / "exact.h5", "llama", LEAST // 90).returncode == 0
    assert weir("diff", tmp_path / "exact.h5", tmp_path / "short.h5").returncode == 0
    assert json.loads(weir("info", tmp_path / "short.h5", "--json").stdout)["compute"] == "f32"


@pytest.mark.parametrize("compute", NEEDS)
def test_a_processor_without_the_instructions_refuses_and_writes_nothing(compute, tmp_path):
    done = dump(tmp_path / "t.h5", "llama", 4, "--compute", compute, WEIR_ISA="avx2")
    assert done.returncode == 4 and compute in done.stderr and "AVX512" in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())
