"""Tries the list of wrong changes (mutations.py), one at a time, in a copy of the tree, and says which test catches each.

    script/mutate                       all of them: about an hour on two cores
    script/mutate --only rope,window    those whose name or room has one of the words
    script/mutate --list                what there is
    script/mutate --resume              only what has no result yet, or whose text or own tests have changed since
    script/mutate --quick               survivors of the named tests are not shown to all the others
    script/mutate --table               the results so far as docs/reliability.md has them

The copy is .cache/mutate/tree (WEIR_MUTATE names another place); the tree itself is only read. Each test is run on the copy as
it is, before the first change that it is to catch: a test that fails there is an error. Exit code 1: something survived.
"""
import argparse
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from mutations import MUTATIONS, ROOMS, WIDER

ROOT = Path(__file__).resolve().parents[2]
PLACE = Path(os.environ.get("WEIR_MUTATE", ROOT / ".cache/mutate"))
TREE = PLACE / "tree"
BUILD = TREE / "build"
RESULTS = PLACE / "results.json"
PATIENCE, LEAST = 10, 60                 # a mutation may never come to an end: a step may take so many times what it takes
                                         # without one, and so many seconds more
NEEDED = ("cli/weir", "libweir.so.", "tests/unit/store_cli", "tests/python/token_cli", "tests/model/edit_cli",
          "tests/model/metric_cli", "tests/model/source_cli", "tests/model/plugin_cli")     # by pytest


def call(command, **options):
    return subprocess.run(command, cwd=TREE, capture_output=True, text=True, errors="replace", **options)


# ---- the copy ----

def copy_tree():
    """the files that git knows or would take, and nothing that is older there than here"""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
                            text=True, check=True).stdout.splitlines()
    wanted = [name for name in listed if (ROOT / name).is_file()]
    TREE.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        put(TREE / name, (ROOT / name).read_bytes(), (ROOT / name).stat().st_mode)
    gone = set(json.loads((PLACE / "files.json").read_text())) - set(wanted) if (PLACE / "files.json").exists() else ()
    for name in gone:
        (TREE / name).unlink(missing_ok=True)
    (PLACE / "files.json").write_text(json.dumps(wanted))
    for name in ".venv", ".cache":
        if not (TREE / name).is_symlink():
            (TREE / name).symlink_to(ROOT / name)


def put(path, content, mode):
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def configure():
    done = call(["script/build", "build", "-Dtests=true"])
    if done.returncode:
        sys.exit(f"the tree does not build:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


# ---- one step ----

def targets(step):
    names = step.split()
    if names[0] != "unit":
        made = re.findall(r"^(\S+): (?!phony)", call(["ninja", "-C", str(BUILD), "-t", "targets", "all"]).stdout, re.M)
        return [name for name in made if name.startswith(NEEDED) and ".p/" not in name]
    return [f"tests/test_{names[1]}"] if len(names) > 1 else ["all"]


def built(step):
    """None, or the end of what the compiler said"""
    done = call(["ninja", "-C", str(BUILD), *targets(step)])
    return None if done.returncode == 0 else (done.stdout + done.stderr)[-1500:]


def command_of(step):
    names = step.split()
    if names[0] != "unit":
        return [str(ROOT / ".venv/bin/python"), "-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:randomly", *shlex.split(step)]
    if len(names) > 1:
        return [str(BUILD / f"tests/test_{names[1]}"), "-j1"]
    return ["meson", "test", "-C", str(BUILD), "--no-rebuild", "--suite", "unit"]


def failed_test(step, text):
    """the name of the first test that failed, as far as the output has one"""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    for pattern in r"^(?:FAILED|ERROR) (\S+)", r"\[(?:FAIL|CRASH)\] ([\w:]+\w)", r"^\s*\d+/\d+ \S*?(\w+)\s+(?:FAIL|ERROR|TIMEOUT)":
        found = re.search(pattern, text, re.M)
        if found:
            return found[1].removeprefix("tests/")
    return step.split(" -")[0].removeprefix("tests/")


def verdict(step, limit=None):
    """None where the step passes, else the test that failed"""
    env = os.environ | {"WEIR": str(BUILD / "cli/weir"), "WEIR_BUILD": str(BUILD)}
    running = subprocess.Popen(command_of(step), cwd=TREE, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True)      # a session: its children end with it
    try:
        text, _ = running.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        return f"{step.split(' -')[0]} (no end in {limit:.0f} s)"
    return None if running.returncode == 0 else failed_test(step, text)


proven, taken = {}, {}                   # by step: what fails without a change, None for nothing; seconds


def passes_unchanged(step):
    """whether the step passes on the copy as it is; the tree must be unchanged"""
    if step not in proven:
        problem, begun = built(step), time.time()
        proven[step] = problem or verdict(step)
        taken[step] = time.time() - begun
    return proven[step] is None


# ---- one mutation ----

def digest(mutation):
    """what a result stands for: not the file, which may move, nor its room's tests, of which there may be more"""
    whole = "\0".join([mutation.old, mutation.new, *mutation.steps])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def steps_of(mutation):
    return mutation.steps or ROOMS[mutation.room]


def change(mutation):
    """applies it to the copy; gives the file and what it held"""
    path = TREE / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        sys.exit(f"{mutation.name}: its old text stands {text.count(mutation.old)} times in {mutation.file}, not once")
    path.write_text(text.replace(mutation.old, mutation.new))
    return path, text


def show_to(mutation, step):
    """the test that fails with the mutation, or None"""
    if not passes_unchanged(step):
        return f"ERROR: fails without any change: {step}: {proven[step]}"
    path, text = change(mutation)
    try:
        problem = built(step)
        return f"ERROR: does not build: {problem}" if problem else verdict(step, LEAST + PATIENCE * taken[step])
    finally:
        path.write_text(text)


def attempt(mutation, wide):
    """the steps that are named for it, then, if it survives them, all others"""
    for step in [*steps_of(mutation), *(WIDER if wide else ())]:
        caught = show_to(mutation, step)
        if caught:
            return dict(caught=caught, step=step)
    return dict(caught=None, step=None)


def attempt_all(chosen, wide):
    results = read_results()
    for i, mutation in enumerate(chosen):
        begun = time.time()
        result = attempt(mutation, wide)
        results[mutation.name] = result | dict(digest=digest(mutation), seconds=round(time.time() - begun, 1))
        RESULTS.write_text(json.dumps(results, indent=1))
        print(f"{i + 1:3}/{len(chosen)} {mutation.room:13} {mutation.name:24} {result['caught'] or 'SURVIVED'}"
              f"  ({time.time() - begun:.0f} s)", flush=True)
    return results


# ---- what is said ----

def read_results():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def table(results):
    lines = ["| room | what is broken | caught by |", "|---|---|---|"]
    for room in ROOMS:
        for m in MUTATIONS:
            if m.room == room:
                caught = results.get(m.name, {"caught": "not tried"})["caught"]
                lines.append(f"| `{room}` | {m.breaks} (`{m.name}`) | {f'`{caught}`' if caught else '**nothing**'} |")
    return "\n".join(lines)


def summary(chosen, results):
    outcomes = [results[m.name]["caught"] for m in chosen if m.name in results]
    errors = [o for o in outcomes if o and o.startswith("ERROR")]
    survived = [m.name for m in chosen if m.name in results and results[m.name]["caught"] is None]
    print(f"\n{len(outcomes) - len(errors) - len(survived)} caught, {len(survived)} survived, {len(errors)} errors")
    for name in survived:
        print(f"SURVIVED {name}")
    return 1 if survived or errors else 0


def choose(options):
    words = [word for word in (options.only or "").split(",") if word]
    chosen = [m for m in MUTATIONS if not words or any(word in m.name or word == m.room for word in words)]
    results = read_results()
    if options.resume:
        done = {name for name, r in results.items() if r["caught"] and not r["caught"].startswith("ERROR")}
        chosen = [m for m in chosen if m.name not in done or results[m.name]["digest"] != digest(m)]
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="WORDS", help="names or rooms, with commas between")
    for flag in "list", "resume", "quick", "table":
        parser.add_argument(f"--{flag}", action="store_true")
    options = parser.parse_args()
    chosen = choose(options)
    if options.table:
        print(table(read_results()))
        return 0
    if options.list:
        for m in chosen:
            print(f"{m.room:13} {m.name:24} {m.file}: {m.breaks}")
        return 0
    PLACE.mkdir(parents=True, exist_ok=True)
    copy_tree()
    configure()
    return summary(chosen, attempt_all(chosen, not options.quick))


if __name__ == "__main__":
    sys.exit(main())
