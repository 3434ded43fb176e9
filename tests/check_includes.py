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

# the same inside the command line; cli/main.c comes after all of them
CLI_ORDER = [["process", "print"], ["args"], ["select"], ["export", "tui"], ["figure"], ["attn"], ["page"], ["commands"], ["main.c"]]
CLI_RANK = {room: i for i, rooms in enumerate(CLI_ORDER) for room in rooms}

# header -> the only places that include it
OWNERS = {
    "hdf5.h": ("lib/store",),
    "minizip/unzip.h": ("lib/format/zip.c",),
    "pcre2.h": ("lib/token",),
    "utf8proc.h": ("lib/token", "cli/print/text.c", "cli/print/label.c"),  # text for models; how it prints
    "pango/pangocairo.h": ("cli/figure/drawing.h",),  # loaded when a picture is wanted
    "curses.h": ("cli/tui",),
    "term.h": ("cli/tui/screen.c",),      # its macros are named columns, lines, ...
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def room_of(path):
    parts = path.parts
    return parts[1] if parts[0] == "lib" and len(parts) > 2 else parts[0]


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
        elif other == room == "cli":
            here, there = path.parts[1], name.split("/")[1]
            if CLI_RANK[there] >= CLI_RANK[here] and there != here:
                yield f'includes "{name}": cli/{here} comes before cli/{there}'


def main():
    bad = 0
    for path in sorted(p for room in ("lib", "hooks", "cli") for p in (TOP / room).rglob("*.[ch]")):
        path = path.relative_to(TOP)
        room = room_of(path)
        if (room not in RANK and path != Path("lib/weir.h")) or (room == "cli" and path.parts[1] not in CLI_RANK):
            print(f"{path}: it is in no place of the order in tests/check_includes.py")
            bad += 1
            continue
        for why in wrong(path, (TOP / path).read_text()):
            print(f"{path}: {why}")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
