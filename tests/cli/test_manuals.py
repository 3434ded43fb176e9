"""What is made of the option tables when weir is built: manual pages, completion for three shells; and that the same name
means the same in every command."""
import re
import shutil
import subprocess
from collections import defaultdict

import pytest

from program import BUILD, ROOT


MADE = BUILD / "cli/args"
SHELLS = {"bash": ("weir", ["-n"]), "zsh": ("_weir", ["-n"]), "fish": ("weir.fish", ["--no-execute"])}


@pytest.fixture(scope="module")
def tables():
    """{command: {option: (letter, value, help)}} as docs/cli.md has them"""
    text = (ROOT / "docs/cli.md").read_text()
    commands = {}
    for part in text.split("\n## weir ")[1:]:
        rows = re.findall(r"^\| (?:`-(\w)`, )?`--([\w-]+)(?: ([^`]*))?` \| (.*?) \|$", part, re.M)
        commands[part.split("\n")[0]] = {name: (letter, value.replace("\\|", "|"), text) for letter, name, value, text in rows}
    return commands


def test_there_is_a_page_for_each_command(tables):
    assert {path.name for path in MADE.glob("*.1")} == {"weir.1", *(f"weir-{name}.1" for name in tables)}


def test_pages_are_sound(tables):
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc here")
    for page in sorted(MADE.glob("*.1")):
        found = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True).stdout
        assert [line for line in found.splitlines() if "missing date" not in line] == []


def test_a_page_says_what_help_says(tables):
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc here")
    for command, options in tables.items():
        shown = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", MADE / f"weir-{command}.1"], capture_output=True,
                               text=True).stdout
        shown = re.sub(".\b", "", shown)
        for name, (_, _, text) in options.items():
            assert f"--{name}" in shown
            assert re.sub(r"\s+", "", text.removesuffix(" (required)")) in re.sub(r"\s+", "", shown), (command, name)


@pytest.mark.parametrize("shell", SHELLS)
def test_completions_parse(shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    name, check = SHELLS[shell]
    done = subprocess.run([shell, *check, MADE / name], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


def bash(folder, *words):
    """what bash offers for the last word"""
    script = (f"source {MADE / 'weir'}; COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}; _weir; "
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "--norc", "-c", script], cwd=folder, capture_output=True, text=True)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def fish(folder, *words):
    script = f"source {MADE / 'weir.fish'}; complete -C {' '.join(words)!r}"
    done = subprocess.run(["fish", "--no-config", "-c", script], cwd=folder, capture_output=True, text=True)
    assert done.stderr == "", done.stderr
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


SHELL = pytest.mark.parametrize("offered", [pytest.param(bash, id="bash"), pytest.param(fish, id="fish")])


def needs(offered):
    if not shutil.which(offered.__name__):
        pytest.skip(f"no {offered.__name__} here")


@SHELL
def test_commands_are_completed(folder, offered, tables):
    needs(offered)
    assert set(offered(folder, "weir", "")) >= {*tables, "help"}
    assert offered(folder, "weir", "du") == ["dump"]
    assert set(offered(folder, "weir", "help", "")) == set(tables)


@SHELL
def test_options_are_completed(folder, offered, tables):
    needs(offered)
    for command, options in tables.items():
        assert set(offered(folder, "weir", command, "--")) >= {f"--{name}" for name in options}, command
    assert offered(folder, "weir", "dump", "--pos") == ["--positions"]


@SHELL
def test_fixed_values_are_completed(folder, offered, tables):
    needs(offered)
    n = 0
    for command, options in tables.items():
        for name, (_, value, _) in options.items():
            if value and re.fullmatch(r"[a-z0-9]+(\|[a-z0-9]+)+", value):
                assert set(offered(folder, "weir", command, f"--{name}", "")) == set(value.split("|")), (command, name)
                n += 1
    assert n > 8
    assert {"induction", "induction_mul", "entropy"} <= set(offered(folder, "weir", "heads", "--sort", ""))


@SHELL
def test_hook_points_are_completed_one_by_one(folder, offered):
    needs(offered)
    assert set(offered(folder, "weir", "dump", "--hooks", "resid_m")) == {"resid_mid"}
    assert set(offered(folder, "weir", "dump", "--hooks", "pattern,resid_p")) == {"pattern,resid_pre", "pattern,resid_post"}
    assert "pattern" in offered(folder, "weir", "show", "whole.h5", "pat")
    assert "resid_pre" in offered(folder, "weir", "export", "whole.h5", "resid_p")


@SHELL
def test_files_are_completed(folder, offered):
    needs(offered)
    assert "whole.h5" in offered(folder, "weir", "ls", "who")
    assert "whole.h5" in offered(folder, "weir", "dump", "--output", "who")
    assert "text.txt" in offered(folder, "weir", "dump", "-f", "tex")
    assert {"gpt2"} <= {name.rstrip("/") for name in offered(folder, "weir", "hooks", "-m", "gp")}


def test_bash_completes_behind_an_equals_sign_and_other_options(folder):
    assert bash(folder, "weir", "dump", "--dtype", "=", "b") == ["bf16"]
    assert "pattern" in bash(folder, "weir", "show", "--prompt", "1", "whole.h5", "pat")


def test_zsh_completes(folder):
    """its functions are called as zsh would, with the builtins that need a terminal replaced"""
    if not shutil.which("zsh"):
        pytest.skip("no zsh here")
    script = f"""
_arguments() {{ print -l -- "$@" }}
_describe() {{ print -l -- ${{(P)2}} }}
compadd() {{ print -l -- "$@" }}
words=(weir "$1" ''); CURRENT=$2
source {MADE / '_weir'}
"""
    ask = lambda command, at: subprocess.run(["zsh", "-f", "-c", script, "zsh", command, str(at)], capture_output=True, text=True)
    commands = ask("", 2)
    assert commands.stderr == "" and "dump:run a model on prompts and store activations at its hook points" in commands.stdout
    dump = ask("dump", 3)
    assert dump.stderr == ""
    specs = dump.stdout.splitlines()
    assert any(re.match(r"--dtype=\[[^\]]*\]:value:\(f32 f16 bf16\)$", spec) for spec in specs)
    assert any(re.match(r"--hooks=\[[^\]]*\]:LIST:_weir_points$", spec) for spec in specs)
    assert any(re.match(r"\(-m --model\)-m\+\[[^\]]*\]:MODEL:_files$", spec) for spec in specs)
    assert any(re.match(r"\*--prompt=\[", spec) for spec in specs)


def test_what_is_installed_where_shells_and_man_look():
    text = (ROOT / "cli/args/meson.build").read_text()
    for place in "bash-completion/completions", "zsh/site-functions", "fish/vendor_completions.d", "'man1'":
        assert place in text


# ---- the same name means the same ----

# values that differ by what the command is about; all else must be equal wherever the name is
DIFFERENT = {
    "prompt": {"TEXT", "PROMPTS", "I", "I|all"},  # what a model is run on; which of a file's
    "output": {"OUT.h5", "OUT", "PAGE.html"},
    "dtype": {"f32|f16|bf16", "f32|keep"},
    "top": {"K", "N"},
}


def test_a_name_means_the_same_in_every_command(tables):
    seen = defaultdict(lambda: defaultdict(set))
    for command, options in tables.items():
        for name, (letter, value, _) in options.items():
            seen[name]["letter"].add(letter)
            seen[name]["value"].add(value)
    for name, told in seen.items():
        if name != "prompt":            # -p gives a text
            assert len(told["letter"]) == 1, name
        assert told["value"] <= DIFFERENT.get(name, told["value"]) and (len(told["value"]) == 1 or name in DIFFERENT), (name, told)


def test_a_letter_means_one_name(tables):
    seen = defaultdict(set)
    for options in tables.values():
        for name, (letter, _, _) in options.items():
            if letter:
                seen[letter].add(name)
    assert all(len(names) == 1 for names in seen.values()), dict(seen)


@pytest.mark.parametrize("name", ["file", "tokens", "bos", "threads", "force", "json"])
def test_what_means_the_same_is_said_in_the_same_words(tables, name):
    assert len({options[name][2] for options in tables.values() if name in options}) == 1


def test_every_command_that_takes_a_model_takes_m(tables):
    for command in "dump", "hooks", "tokens", "info", "heads":
        assert tables[command]["model"][:2] == ("m", "MODEL") and "WEIR_MODEL" in tables[command]["model"][2]
