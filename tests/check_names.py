#!/usr/bin/env python3
"""A name means one thing: all headers can be included together, none calls a type what another calls a function, and a
private function has its name for itself.

Exits 1 and names what is wrong. Needs the compiler ($CC, or cc) and pkg-config, nothing built.
"""
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PACKAGES = ("hdf5", "libcjson", "pangocairo", "libcurl")  # whose headers ours include

KNOWN = set()

TAG = re.compile(r"^(?:typedef )?(?:struct|enum|union) (\w+) \{", re.M)
PRIVATE = re.compile(r"^(?:__attribute__\S.*? )?static (?!inline)[^;={}()]*?\b(\w+)\(", re.M)
FUNCTION = re.compile(r"^(?!typedef)[A-Za-z_].*?\b(weir_\w+)\(", re.M)


def headers():
    return sorted(p.relative_to(TOP) for room in ("lib", "hooks", "cli") for p in (TOP / room).rglob("*.h"))


def cflags():
    asked = subprocess.run(["pkg-config", "--cflags", *PACKAGES], capture_output=True, text=True, check=True)
    return shlex.split(asked.stdout)


def compile_together():
    """what the compiler says of one file that includes every header"""
    text = "".join(f'#include "{path}"\n' for path in headers())
    command = [*shlex.split(os.environ.get("CC", "cc")), "-std=c17", "-D_GNU_SOURCE", "-fsyntax-only", "-I", TOP, "-I", TOP / "lib", *cflags(),
               "-x", "c", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=TOP)
    return [line for line in done.stderr.splitlines() if "error" in line] if done.returncode else []


def two_meanings():
    """names that one header gives to a type and another to a function (one header may have both: a type and what returns it)"""
    tags, functions = {}, {}
    for path in headers():
        text = (TOP / path).read_text()
        tags |= {name: path for name in TAG.findall(text)}
        functions |= {name: path for name in FUNCTION.findall(text)}
    return [f"{name}: a type in {tags[name]}, a function in {functions[name]}" for name in sorted(tags.keys() & functions.keys() - KNOWN)
            if tags[name] != functions[name]]


def private_twice():
    """names of private functions that stand in two files: one function, or two better names"""
    files = {}
    for path in sorted(p.relative_to(TOP) for room in ("lib", "hooks", "cli") for p in (TOP / room).rglob("*.c")):
        for name in set(PRIVATE.findall((TOP / path).read_text())):
            files.setdefault(name, []).append(str(path))
    return [f"{name}: a private function of {' and of '.join(paths)}" for name, paths in sorted(files.items()) if len(paths) > 1]


def main():
    found = compile_together() + two_meanings() + private_twice()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
