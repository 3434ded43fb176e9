"""The notebook and the README of python/: they run, and say what they said when they were written."""

import doctest
import importlib.util
import re
import shutil
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "python/examples"
NUMBER = re.compile(r"-?\d+\.\d+")


def runner():
    spec = importlib.util.spec_from_file_location("examples_run", EXAMPLES / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts(notebook):
    """what each cell says: text as it is, pictures by their name"""
    said = []
    for cell in notebook.cells:
        for out in cell.get("outputs", []):
            data = out.get("data", {})
            said.append("picture" if "image/png" in data else out.get("text") or data.get("text/plain"))
    return said


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.ipynb")))
def test_a_notebook_says_what_it_said(name, tmp_path):
    kept = nbformat.read(EXAMPLES / name, as_version=4)
    shutil.copyfile(EXAMPLES / name, tmp_path / name)
    before, now = texts(kept), texts(runner().execute(tmp_path / name))
    assert before.count("picture") >= 4 and "induction" in "".join(before)
    assert [NUMBER.sub("#", text) for text in now] == [NUMBER.sub("#", text) for text in before]
    figures = [[float(x) for text in said for x in NUMBER.findall(text)] for said in (before, now)]
    assert figures[1] == pytest.approx(figures[0], abs=0.02)


def test_the_readme_says_what_happens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "python/README.md").read_text(), re.M | re.S)
    session = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "README.md", "python/README.md", 0)
    done = doctest.DocTestRunner().run(session)
    assert done.attempted > 12 and done.failed == 0
