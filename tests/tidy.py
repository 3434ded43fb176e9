"""clang-tidy over every C file of a build, but for those that it found clean before, as they are now.

    python3 tests/tidy.py BUILD_FOLDER CACHE_FOLDER

A file is as it was where its text, the headers of this tree that it includes (as ninja knows them), how it is compiled, the rules
and clang-tidy's version are the same: a changed header costs the files that include it, not all. Tests do without the static
analyzer (clang-analyzer-*), which Criterion's macros keep busy for 5 to 25 seconds per file: what it looks for, the sanitizers
see when the tests run.
"""
import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def in_tree(path, build):
    """whether a file is one of the tree's own, not made by the build"""
    return path.is_relative_to(ROOT) and not path.is_relative_to(build)


def included(build):
    """{object: [path of the source and of every header of this tree that it includes]}"""
    found, files = {}, []
    for line in output_of("ninja", "-C", build, "-t", "deps").splitlines():
        if line.startswith(" "):
            path = Path(os.path.normpath(build / line.strip()))
            if in_tree(path, build):
                files.append(path)
        elif ": #deps" in line:
            files = found[line[:line.index(": #deps")]] = []
    return found


def compilations(build):
    """{source: [the entries of compile_commands.json that compile it]}"""
    found = defaultdict(list)
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = Path(os.path.normpath(Path(entry["directory"]) / entry["file"]))
        if path.suffix == ".c" and in_tree(path, build):
            found[path].append(entry)
    return found


def digest(source, entries, headers, common):
    """of everything that what clang-tidy says of a file depends on"""
    said = hashlib.sha256(common)
    for path in sorted({source, *(path for entry in entries for path in headers.get(entry["output"], []))}):
        said.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    for entry in entries:
        said.update(entry["command"].replace(str(ROOT), "").encode())
    return said.hexdigest()[:40]


def tidy(source, build, stamp):
    """-> whether the file is clean"""
    if stamp.exists():
        return True
    rules = ["--checks=-clang-analyzer-*"] if source.is_relative_to(ROOT / "tests") else []
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, *rules, source], capture_output=True, text=True)
    if done.returncode == 0:
        stamp.touch()
    else:
        print(source.relative_to(ROOT), done.stdout, done.stderr, sep="\n", flush=True)
    return done.returncode == 0


def main(build, cache):
    build, cache = Path(build).resolve(), Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    common = (output_of("clang-tidy", "--version") + (ROOT / ".clang-tidy").read_text()).encode() + Path(__file__).read_bytes()
    headers, sources = included(build), compilations(build)
    stamps = {source: cache / digest(source, entries, headers, common) for source, entries in sources.items()}
    print(f"{len(sources)} files, {sum(not stamp.exists() for stamp in stamps.values())} of them changed")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return not all(list(pool.map(lambda item: tidy(item[0], build, item[1]), stamps.items())))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
