#!/usr/bin/env python3
"""Writes weir/_points.py: the names of all hook points, from lib/points/points.def.

    python3 python/make_points.py > python/weir/_points.py

A test checks that the committed file is what this writes.
"""

import json
import pathlib
import re

LIST = pathlib.Path(__file__).resolve().parents[1] / "lib/points/points.def"
POINT = re.compile(r'^POINT\(\w+, "(\w+)", "([^"]+)", (BLOCK|MODEL),', re.M)
ALIAS = re.compile(r'^ALIAS\("(\w+)", "([^"]+)", (\w+)\)', re.M)

# what is stored can be asked for by these too: only models with a projection, of which none is published, have another
KEPT = ("ALWAYS", "FULL_WIDTH")


def main() -> None:
    text = LIST.read_text(encoding="utf-8")
    before = {short: "blocks.{layer}." if scope == "BLOCK" else "" for short, _, scope in POINT.findall(text)}
    print('"""The names of all hook points, made by make_points.py from lib/points/points.def; do not edit."""\n')
    print("# short name -> full name")
    print("HOOK_NAMES = {")
    for short, full, _ in POINT.findall(text):
        print(f'    "{short}": "{before[short]}{full}",')
    print("}\n\n# other full name -> short name")
    print("ALIASES = {")
    for short, other, when in ALIAS.findall(text):
        if when in KEPT:
            print(f'    "{before[short]}{other}": "{short}",')
    print("}\n\n# names that mean one of these or another by the model, which a file does not say")
    print("BY_MODEL = {")
    rows: dict[str, list[str]] = {}
    for short, other, when in ALIAS.findall(text):
        if when not in KEPT:
            rows.setdefault(before[short] + other, []).append(short)
    for other, shorts in rows.items():
        print(f'    "{other}": {json.dumps(shorts)},')
    print("}")


if __name__ == "__main__":
    main()
