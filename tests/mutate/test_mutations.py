"""The list of wrong changes still applies to the code: each old text stands once in its file, in every room there are some; and
docs/reliability.md says of each which test catches it, one that there is."""
import re
from collections import Counter

import pytest

from mutations import MUTATIONS, ROOMS
from run import ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_the_old_text_stands_once(mutation):
    assert (ROOT / mutation.file).read_text().count(mutation.old) == 1
    assert mutation.new != mutation.old


def test_every_room_has_some_and_names_are_unique():
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS) >= 60
    rooms = Counter(m.room for m in MUTATIONS)
    assert set(rooms) == set(ROOMS) and min(rooms.values()) >= 3


# ---- the table of docs/reliability.md: script/mutate --only NAME tries one, script/mutate --table prints it ----

def rows():
    """-> (room, what is broken, name, the test that catches it)"""
    text = (ROOT / "docs/reliability.md").read_text()
    return re.findall(r"^\| `([\w/]+)` \| (.*) \(`([\w-]+)`\) \| `(.*)` \|$", text, re.M)


def test_the_table_names_a_test_for_every_one():
    assert {(room, breaks, name) for room, breaks, name, _ in rows()} == {(m.room, m.breaks, m.name) for m in MUTATIONS}
    assert len(rows()) == len(MUTATIONS)


def test_the_tests_of_the_table_are_there():
    criterion = "".join(path.read_text() for path in sorted((ROOT / "tests/unit").glob("*.c")))
    tests = re.findall(r"^(?:Test|(EACH_\w+))\((\w+), (\w+)", criterion, re.M)      # EACH_... adds a model's name
    for *_, name, test in rows():
        where, test = test.split("::")
        if where.endswith(".py"):
            there = f"def {test.split('[')[0]}(" in (ROOT / "tests" / where).read_text()
        else:
            there = any(where == suite and (test.startswith(f"{of}_") if each else test == of) for each, suite, of in tests)
        assert there, f"{name}: {where}::{test}"
