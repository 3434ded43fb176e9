"""The program in docs/api.md, compiled as a user would and run on a model whose answers are known.

Against the library in the build folder, or, when INSTALLED names the root it was installed under, against that through
pkg-config.
"""
import os
import re
import shlex
import subprocess
from pathlib import Path

import h5py
import pytest

import prompts
import reference
from cache import FIXTURES, ROOT, WEIR

BUILD = Path(WEIR).parents[1]


def flags():
    root = os.environ.get("INSTALLED")
    if not root:
        return ["-I", ROOT / "lib", "-L", BUILD, "-lweir", f"-Wl,-rpath,{BUILD}"]
    pc = next(Path(root).rglob("weir.pc"))
    found = subprocess.run(["pkg-config", f"--define-variable=prefix={root}/usr/local", "--cflags", "--libs", "weir"], check=True, text=True,
                           capture_output=True, env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}).stdout
    return [*shlex.split(found), f"-Wl,-rpath,{pc.parents[1]}"]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    source = re.search(r"^```c\n(.*?)^```", (ROOT / "docs/api.md").read_text(), re.S | re.M)[1]
    (folder / "program.c").write_text(source)
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", folder / "program.c", *flags(), "-o",
                    folder / "program"], check=True)
    return folder / "program"


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_it_prints_what_pytorch_computes(program, family):
    ids = prompts.tokens(23)
    done = subprocess.run([program, FIXTURES / family, *map(str, ids)], check=True, capture_output=True, text=True)
    with h5py.File(FIXTURES / family / "ref_23.h5") as ref:
        found = reference.points(ref)
        lines = []
        for layer in range(3):
            data, at = found[f"blocks.{layer}.attn.hook_pattern"]
            lines.append(f"first token in layer {layer}:" + "".join(f" {x:.3f}" for x in data[at][0, :, -1, 0]))
    numbers = [float(x) for x in re.findall(r" (\d\.\d{3})", done.stdout)]
    wanted = [float(x) for x in re.findall(r" (\d\.\d{3})", "\n".join(lines))]
    assert len(done.stdout.splitlines()) == 3
    assert numbers == pytest.approx(wanted, abs=0.00101)      # one in the last printed place


def test_it_reports_a_token_out_of_range(program):
    done = subprocess.run([program, FIXTURES / "gpt2", "9999"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert "9999" in done.stderr and len(done.stderr.splitlines()) == 1
