"""The documents agree with the tree: hook points, and the files that they name."""
import re

import pytest

from program import ROOT


POINT = re.compile(r'^POINT\(\w+, "(\w+)", "([^"]+)", (BLOCK|MODEL), (\w+), \(([A-Z_, ]+)\), "([^"]+)"\)', re.M)
STORED = {"DEFAULT": "default", "GLOB": "by name or glob", "NAMED": "by name only"}
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "python/README.md", ROOT / "models/README.md"])
FILE = re.compile(r"`((?:lib|hooks|cli|tests|script|python|schemas|models|docs)/[\w./-]+)`|\]\(([\w./-]+)(?:#[\w-]*)?\)")


def test_every_hook_point_is_described_in_the_order_of_computation():
    points = POINT.findall((ROOT / "lib/points/points.def").read_text())
    rows = [line.strip("|").split(" | ") for line in (ROOT / "docs/hooks.md").read_text().splitlines() if line.startswith("| `")]
    assert len(points) >= 50
    expected = [(f"`{short}`", f"`{'blocks.{layer}.' if scope == 'BLOCK' else ''}{full}`", f"[{axes.lower()}]", STORED[stored], meaning)
                for short, full, scope, stored, axes, meaning in points]
    assert [(name.strip(), full, axes, stored, meaning.strip()) for name, full, axes, _, stored, meaning in rows] == expected


@pytest.mark.parametrize("doc", [doc for doc in DOCS if doc.name != "CHANGELOG.md"], ids=lambda doc: str(doc.relative_to(ROOT)))
def test_files_that_a_document_names_exist(doc):
    named = {(link, doc.parent) if link else (path, ROOT) for path, link in FILE.findall(doc.read_text())}
    assert not [path for path, folder in named if "NAME" not in path and not (folder / path).exists()]
