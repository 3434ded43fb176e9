#!/usr/bin/env python3
"""Includes point one way: each room may include itself and the rooms before it. Exits 1 and names what does not.

Also here, because it is the same walk: every quoted include is rooted and exists, the public header stands alone, and
the outside libraries that one room owns are included there only.
"""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]

# rooms in order; those of one line do not see each other
ORDER = [["base"], ["points"], ["tensor"], ["format"], ["token", "store"], ["model"], ["engine"], ["hooks"], ["analysis"], ["cli"]]
RANK = {room: i for i, rooms in enumerate(ORDER) for room in rooms}

# the same inside a room; "." is what lies in no folder of it. cli/main.c comes after all others of the command line
INNER_ORDER = {
    "hooks": [["sources"], ["."], ["examples"]],
    "cli": [["process", "print"], ["hub"], ["args"], ["select", "spec"], ["export", "tui"], ["figure"], ["attn"], ["page"], ["commands"], ["."]],
}
INNER_RANK = {room: {inner: i for i, inners in enumerate(order) for inner in inners} for room, order in INNER_ORDER.items()}

# header -> the only places that include it
OWNERS = {
    "hdf5.h": ("lib/store",),
    "minizip/unzip.h": ("lib/format/zip.c",),
    "pcre2.h": ("lib/token",),
    "utf8proc.h": ("lib/token", "cli/print/text.c", "cli/print/label.c"),  # text for models; how it prints
    "pango/pangocairo.h": ("cli/figure/drawing.h",),  # loaded when a picture is wanted
    "curl/curl.h": ("cli/hub/libcurl.h",),  # loaded when something is fetched
    "curses.h": ("cli/tui",),
    "term.h": ("cli/tui/screen.c",),      # its macros are named columns, lines, ...
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def room_of(path):
    parts = path.parts
    return parts[1] if parts[0] == "lib" and len(parts) > 2 else parts[0]


def inner_of(path):
    """the folder of its room that a file is in, "." if in none"""
    return path.parts[1] if len(path.parts) > 2 else "."


def has_place(path):
    room = room_of(path)
    if room not in RANK:
        return path == Path("lib/weir.h")
    return room not in INNER_RANK or inner_of(path) in INNER_RANK[room]


def wrong(path, text):
    """what is wrong with one file's includes; `path` is relative to the top"""
    room = room_of(path)
    for kind, name in INCLUDE.findall(text):
        if path == Path("lib/weir.h") and (kind == '"' or "/" in name):
            yield f"the public header includes {name}"
        owners = OWNERS.get(name)
        if owners and not str(path).startswith(owners):
            yield f"includes <{name}>, which belongs to {' and '.join(owners)}"
        if kind == "<" or name == "weir.h":
            continue
        roots = [TOP / "lib", TOP]
        if not any((root / name).is_file() for root in roots):
            yield f'includes "{name}", which is no file below lib/ or the top (includes are rooted: "base/status.h")'
            continue
        other = name.split("/")[0]
        if other not in RANK:
            yield f'includes "{name}", which is in no room of this check\'s list'
        elif other != room and RANK[other] >= RANK[room]:
            yield f'includes "{name}": {room} comes before {other}'
        elif other == room in INNER_RANK:
            rank, here, there = INNER_RANK[room], inner_of(path), inner_of(Path(name))
            if rank.get(there, len(rank)) >= rank[here] and there != here:
                yield f'includes "{name}": {Path(room, here)} comes before {Path(room, there)}'


def main():
    bad = 0
    for path in sorted(p for room in ("lib", "hooks", "cli") for p in (TOP / room).rglob("*.[ch]")):
        path = path.relative_to(TOP)
        if not has_place(path):
            print(f"{path}: it is in no place of the order in tests/check_includes.py")
            bad += 1
            continue
        for why in wrong(path, (TOP / path).read_text()):
            print(f"{path}: {why}")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
