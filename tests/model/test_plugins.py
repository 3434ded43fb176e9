"""Plugins: the example of hooks/examples and one that fails in every way, compiled as a user would, with weir.h alone (where
INSTALLED names the root that weir was installed under, with the header there)."""
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

import cache
import edits
import prompts
from cache import FIXTURES, ROOT
from measure import matches

HERE = Path(__file__).resolve().parent
MODEL = FIXTURES / "gpt2"
BUILD = Path(cache.WEIR).parents[1]
PLUGIN_CLI = BUILD / "tests/model/plugin_cli"


def header():
    root = os.environ.get("INSTALLED")
    if not root:
        return ["-I", ROOT / "lib"]
    pc = next(Path(root).rglob("weir.pc"))
    return shlex.split(subprocess.run(["pkg-config", f"--define-variable=prefix={root}/usr/local", "--cflags", "weir"], check=True,
                                      text=True, capture_output=True, env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}).stdout)


def compiled(folder, source, name, *defines, language="c11"):
    out = folder / f"{name}.so"
    compiler = ["c++", "-x", "c++"] if language.startswith("c++") else ["cc"]
    subprocess.run([*compiler, f"-std={language}", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", *defines, *header(), source, "-o",
                    out, "-lm"], check=True)
    return out


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    made = {name: compiled(folder, HERE / "plugins/modes.c", name, *defines)
            for name, defines in {"modes": (), "other": ("-DABI=2",), "bare": ("-DENTRY=another",),
                                  "closed": ("-DOPEN=NULL", "-Wno-unused-function")}.items()}
    made["norms"] = compiled(folder, ROOT / "hooks/examples/norms.c", "norms")
    (folder / "text.so").write_text("not a shared object\n" * 10)
    (folder / "unresolved.c").write_text("extern int nobody_has_this(void); int f(void) { return nobody_has_this(); }\n")
    compiled(folder, folder / "unresolved.c", "unresolved")
    return made | {"folder": folder}


def dump(out, *plugins, hooks="*", n=(23,), check=True):
    args = [word for p in plugins for word in ("--plugin", p)]
    tokens = [word for i, length in enumerate(n) for word in ("--tokens", ",".join(map(str, prompts.tokens(length, i))))]
    return cache.weir("dump", "-m", MODEL, *tokens, "--hooks", hooks, *args, "-o", out, check=check)


def test_the_example_prints_the_norms_of_what_is_stored_elsewhere(plugins, tmp_path):
    done = dump(tmp_path / "x.h5", f"{plugins['norms']}:resid_post,z:1.2@-1,embed", hooks="resid_post,z,embed", n=(5, 9))
    run, lines = cache.Cache(tmp_path / "x.h5"), done.stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [["point", "layer", "vectors"], ["embed", "-", "14"], ["z", "1", "2"],
                                                    *(["resid_post", str(i), "14"] for i in range(3))]
    for line in lines[1:]:
        point, layer, _, mean, longest, prompt, position = re.match(
            r"(\w+) +(\S+) +(\d+) +(\S+) +(\S+)  prompt (\d+), position (\d+)$", line).groups()
        values = [run(point, None if layer == "-" else int(layer), i) for i in range(2)]
        values = [x[-1:, 2] if point == "z" else x for x in values]
        norms = [np.linalg.norm(x, axis=-1) for x in values]
        assert float(mean) == pytest.approx(np.concatenate(norms).mean(), abs=1e-4)
        assert float(longest) == pytest.approx(max(x.max() for x in norms), abs=1e-4)
        row = 0 if point == "z" else int(position)
        assert norms[int(prompt)][row] == pytest.approx(float(longest), abs=1e-4)


def test_the_example_reads_the_stream_where_it_is_told_nothing_and_compiles_as_c99_too(plugins, tmp_path):
    bare = compiled(tmp_path, ROOT / "hooks/examples/norms.c", "again", "-pedantic", language="c99")
    assert len(dump(tmp_path / "x.h5", bare, hooks="embed").stdout.splitlines()) == 4


def test_it_refuses_what_has_no_vectors(plugins, tmp_path):
    refused = dump(tmp_path / "x.h5", f"{plugins['norms']}:pattern", check=False)
    assert refused.returncode == 2 and "weir: norms: the values of pattern are no vectors" in refused.stderr
    assert not (tmp_path / "x.h5").exists()


def test_a_plugin_that_edits_changes_what_pytorch_changes_and_the_file_says_where(plugins, tmp_path):
    assert edits.EDITS["head"] == dict(point="z", layer=1, index=(None, 3, None))
    dump(tmp_path / "x.h5", f"{plugins['modes']}:zero", n=(edits.LENGTH,))
    run = cache.Cache(tmp_path / "x.h5")
    matches(run, FIXTURES / "gpt2/edit_head.h5")
    assert json.loads(run.file.attrs["edits"]) == [{"hook": "z:1"}] and "modes.so:zero" in run.file.attrs["command"]


def test_a_plugin_is_called_in_order_and_closed_after_the_run(plugins, tmp_path):
    log = tmp_path / "log"
    dump(tmp_path / "x.h5", f"{plugins['modes']}:see={log}", n=(5, 4))
    assert log.read_text().splitlines() == ["open", "begin: 2 prompts, the last of 4 tokens", "resid_mid 1 of prompt 0",
                                            "resid_mid 1 of prompt 1", "end", "close"]


def test_several_plugins_are_loaded_in_the_order_given_one_also_twice(plugins, tmp_path):
    logs = [tmp_path / "a", tmp_path / "b"]
    done = dump(tmp_path / "x.h5", f"{plugins['modes']}:zero={logs[0]}", f"{plugins['norms']}:z:1.3", f"{plugins['modes']}:see={logs[1]}")
    assert " 0.0000     0.0000  prompt 0, position 0" in done.stdout          # the reader sees what the editor left
    assert [log.read_text().split("\n")[0] for log in logs] == ["open", "open"]


@pytest.mark.parametrize("mode,code,message", [
    ("refuse", 4, "'refuse={}' is nothing that it can do"),
    ("begin", 2, "it does not begin"),
    ("end", 5, "it does not end"),
    ("silent", 5, "the plugin's end failed and set no message (weir_fail)"),
])
def test_a_plugins_failure_reaches_the_user_and_leaves_no_file(plugins, tmp_path, mode, code, message):
    log = tmp_path / "log"
    failed = dump(tmp_path / "x.h5", f"{plugins['modes']}:{mode}={log}", check=False)
    lines = failed.stderr.splitlines()
    assert failed.returncode == code and lines[-1] == f"weir: {plugins['modes']}: {message.format(log)}"
    assert not (tmp_path / "x.h5").exists()
    assert ("close" in log.read_text()) == (mode != "refuse")


def test_a_hooks_failure_and_a_misspelt_point_reach_the_user(plugins, tmp_path):
    failed = dump(tmp_path / "x.h5", f"{plugins['modes']}:hook", check=False)
    assert failed.returncode == 2 and failed.stderr.splitlines()[-1] == "weir: layer 1 is not to its liking"
    failed = dump(tmp_path / "x.h5", f"{plugins['modes']}:point", check=False)
    assert failed.returncode == 2 and failed.stderr.startswith(f"weir: {plugins['modes']}: no hook point is called 'nothing'")


@pytest.mark.parametrize("name,code,message", [
    ("other.so", 4, "is a plugin of version 2, and this weir loads version 1: compile it with this weir's weir.h"),
    ("bare.so", 3, "has no weir_plugin_entry: it is not a plugin of weir (docs/hooks.md)"),
    ("closed.so", 3, "its weir_plugin_entry has no open"),
    ("text.so", 3, "cannot be loaded as a plugin: invalid ELF header"),
    ("missing.so", 3, "cannot be loaded as a plugin: cannot open shared object file: No such file or directory"),
    ("unresolved.so", 3, "cannot be loaded as a plugin: undefined symbol: nobody_has_this"),
    ("", 3, "cannot be loaded as a plugin: "),
])
def test_what_is_no_plugin_of_this_version_is_refused_in_one_line(plugins, tmp_path, name, code, message):
    path = plugins["folder"] / name
    refused = dump(tmp_path / "x.h5", path, check=False)
    assert refused.returncode == code and refused.stderr.startswith(f"weir: {path}: {message}") and refused.stderr.count("\n") == 1
    assert not (tmp_path / "x.h5").exists()


def test_a_name_without_a_slash_is_a_file_in_this_folder(plugins, tmp_path):
    args = [cache.WEIR, "dump", "-m", MODEL, "--tokens", "1,2", "--hooks", "embed", "--plugin", "norms.so", "-o", tmp_path / "x.h5"]
    assert subprocess.run(args, cwd=plugins["folder"], capture_output=True).returncode == 0
    refused = subprocess.run(args, cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 3 and refused.stderr.startswith("weir: norms.so: cannot be loaded as a plugin: cannot open")
    refused = dump(tmp_path / "y.h5", ":args", check=False)
    assert refused.returncode == 2 and "write FILE[:ARGS]" in refused.stderr


def test_a_plugin_of_weir_run_changes_what_is_predicted(plugins, tmp_path):
    ids, words = ",".join(map(str, prompts.tokens(edits.LENGTH))), {}
    for name, more in {"plain": [], "zero": ["--plugin", f"{plugins['modes']}:zero"]}.items():
        done = json.loads(cache.weir("run", "-m", MODEL, "--tokens", ids, "--json", *more).stdout)
        words[name] = {word["id"]: word["logit"] for word in done["prompts"][0]["positions"][0]["next"]}
    dump(tmp_path / "x.h5", f"{plugins['modes']}:zero", hooks="logits", n=(edits.LENGTH,))
    logits = cache.Cache(tmp_path / "x.h5")("logits")[-1]
    assert words["plain"] != words["zero"] and all(logits[i] == pytest.approx(x, abs=1e-5) for i, x in words["zero"].items())


# ---- in a program that has the shared library ----

def in_a_program(plugin, arguments):
    return subprocess.run([PLUGIN_CLI, MODEL, plugin, arguments], check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize("linked", [(), ("-L", BUILD, "-lweir")], ids=["alone", "linked with the library"])
def test_a_plugin_in_a_program_uses_its_library_and_sees_each_of_its_passes(plugins, tmp_path, linked):
    log, plugin = tmp_path / "log", compiled(tmp_path, HERE / "plugins/modes.c", "modes", *linked)
    assert in_a_program(plugin, f"see={log}") == [
        "without a run: weir_run_plugin: run is NULL", "without a file: weir_run_plugin: path is NULL", "plugin: fine", "depth: 2",
        "first pass: fine", "second pass: fine"]
    one = ["begin: 1 prompts, the last of 5 tokens", "resid_mid 1 of prompt 0", "end"]
    assert log.read_text().splitlines() == ["open", *one, *one, "close"]


def test_hooks_of_a_plugin_that_did_not_open_are_taken_back(plugins, tmp_path):
    log = tmp_path / "log"
    assert in_a_program(plugins["modes"], f"refuse={log}")[2:] == [
        f"plugin: {plugins['modes']}: 'refuse={log}' is nothing that it can do", "depth: 0", "first pass: fine", "second pass: fine"]
    assert log.read_text() == "open\n"


def test_a_pass_that_failed_has_no_end_and_the_next_begins_again(plugins, tmp_path):
    log = tmp_path / "log"
    assert in_a_program(plugins["modes"], f"hook={log}")[4:] == ["first pass: layer 1 is not to its liking", "second pass: layer 1 is not to its liking"]
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["open", "begin:", "resid_mid", "begin:", "resid_mid", "close"]


def test_a_plugin_in_cpp(plugins, tmp_path):
    (tmp_path / "seen.cpp").write_text("""#include <weir.h>
#include <cstdio>
static weir_status open_it(void **, weir_run *, const weir_model *model, const char *arguments)
{
    std::printf("%s of %s\\n", arguments, weir_model_get_info(model)->name);
    return WEIR_OK;
}
const weir_plugin weir_plugin_entry = {WEIR_PLUGIN_ABI, open_it, nullptr, nullptr, nullptr};
""")
    plugin = compiled(tmp_path, tmp_path / "seen.cpp", "seen", language="c++17")
    assert dump(tmp_path / "x.h5", f"{plugin}:a:b", hooks="embed").stdout == "a:b of gpt2\n"
