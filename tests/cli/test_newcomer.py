"""The way of a newcomer: README's commands in their order in one folder, the tutorial's after them, without an error, and
what they say is what stands there.

WEIR_UPDATE=1 writes what the demo's commands say into README.md anew: read the difference before you commit it.
"""
import os
import re
import shlex
import shutil
import subprocess

import pytest

from program import BUILD, CLEAN, ROOT, SANITIZED
from walk import COMMAND, DOC, numbers, said, words

README = ROOT / "README.md"
DEMO = ROOT / "script/demo"
PLAIN = re.compile(r"^    (build/cli/weir .*)$", re.M)      # commands that stand there without what they say


def printed(text):
    """what stands below a command, up to the demo's next word about what it does"""
    return re.split(r"^    # ", text, maxsplit=1, flags=re.M)[0].rstrip("\n")


def agree(command, got, expected):
    assert words(got.rstrip("\n")) == words(expected), command
    assert numbers(got) == pytest.approx(numbers(expected), abs=0.002), command


def commands_of_demo():
    return [(match[1], printed(match[2])) for match in COMMAND.finditer(README.read_text())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """a tree that was just built, as far as commands see it"""
    folder = tmp_path_factory.mktemp("newcomer")
    for name in "build", "models", "docs", "python":
        (folder / name).symlink_to(BUILD if name == "build" else ROOT / name)
    return folder


def test_the_demo_shows_what_readme_prints():
    """its commands for the model that comes along are those of README, in that order"""
    run = re.findall(r"^run '(weir .*)'$", DEMO.read_text(), re.M)
    shown = [command.removeprefix("$ ") for command, _ in commands_of_demo()]
    assert len(shown) >= 5 and run[:len(shown)] == shown


@pytest.mark.skipif(SANITIZED, reason="the same commands as in test_tutorial.py and sessions/")
def test_readme_and_tutorial_can_be_followed_in_one_folder(folder):
    done = []
    for command, expected in commands_of_demo():            # script/demo
        got = said(folder, command)
        if os.environ.get("WEIR_UPDATE"):
            README.write_text(README.read_text().replace(f"    {command}\n{expected}\n", f"    {command}\n{got}"))
        else:
            agree(command, got, expected)
        done.append(command)
    for command in PLAIN.findall(README.read_text()):       # the three commands below it
        ran = subprocess.run(shlex.split(command), cwd=folder, env=CLEAN, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        done.append(command)
    assert len(done) >= 8
    for match in COMMAND.finditer(DOC.read_text()):         # the tutorial
        agree(match[1], said(folder, match[1]), match[2].rstrip("\n"))
    names = re.findall(r" (?:-o|--png) (\S+)", "\n".join([*done, DOC.read_text()]))
    assert all((folder / name).exists() for name in names)


def test_commands_of_the_whole_demo_use_files_of_their_own():
    """what a command writes is written by no other, so that nobody meets another model's file"""
    texts = [*re.findall(r"^run '(.*)'$", DEMO.read_text(), re.M), *PLAIN.findall(README.read_text()),
             *(match[1] for match in COMMAND.finditer(DOC.read_text()))]
    written = [name for text in texts for name in re.findall(r" (?:-o|--png|--svg|--html) (\S+)", text)]
    assert len(written) > 6 and len(set(written)) == len(written)


@pytest.mark.slow
def test_from_a_fresh_clone(tmp_path):
    """the demo itself, which installs, builds and runs; then all of the above with what it built"""
    clone = tmp_path / "weir"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
    (clone / ".cache").mkdir()
    shutil.copytree(ROOT / ".cache/smollm2", clone / ".cache/smollm2")    # the download is tested by script/fetch-model
    env = {name: value for name, value in CLEAN.items() if name not in ("WEIR", "WEIR_BUILD", "WEIR_UPDATE")}
    demo = subprocess.run(["script/demo"], cwd=clone, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert demo.returncode == 0, demo.stderr
    for command, expected in commands_of_demo():
        shown = demo.stdout.split(f"{command}\n", 1)[1]
        shown = re.split(r"^(?:\$ |# )", shown, maxsplit=1, flags=re.M)[0].rstrip("\n")
        agree(command, "".join(f"    {line}".rstrip() + "\n" for line in shown.splitlines()), expected)
    env["PATH"] = f"{clone}/build/cli:{env['PATH']}"
    for command in [*PLAIN.findall(README.read_text()), *(match[1][2:] for match in COMMAND.finditer(DOC.read_text()))]:
        done = subprocess.run(shlex.split(command), cwd=clone, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
