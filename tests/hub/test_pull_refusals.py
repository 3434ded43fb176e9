"""weir pull: what is not there or not allowed, explained in one line; tokens; nothing without being asked."""
import subprocess

import pytest

from program import ROOT, SANITIZED, on_terminal
from sides import MODEL

INPUT, USAGE, UNSUPPORTED = 3, 2, 4


def test_a_missing_repository_is_named_with_what_may_be_the_reason(hub, side):
    side.refused(INPUT, "org/none", words=["org/none", "no such model", "private", "HF_TOKEN"])
    side.refused(INPUT, "org/none", words=["org/none", "no such model", "HF_TOKEN has no access"], env={"HF_TOKEN": hub.token})


def test_a_private_repository_needs_the_token(hub, side):
    hub.add("org/tiny", MODEL, private=True)
    side.refused(INPUT, "org/tiny", words=["private"])
    side.pull("org/tiny", env={"HF_TOKEN": hub.token})


def test_a_gated_repository_is_explained_without_a_token_and_with_one(hub, side):
    hub.add("org/tiny", MODEL, gated=True)
    side.refused(INPUT, "org/tiny", words=["gated", f"{hub.url}/org/tiny", "HF_TOKEN", "hf auth login"])
    side.pull("org/tiny", env={"HF_TOKEN": hub.token})


def test_a_token_of_an_account_without_access_is_named_by_where_it_is_from(hub, side):
    hub.add("org/tiny", MODEL, gated=True)
    hub.without_access = hub.token
    side.refused(INPUT, "org/tiny", words=["gated", "token from HF_TOKEN has no access"], env={"HF_TOKEN": hub.token})
    side.home.mkdir()
    (side.home / "token").write_text(hub.token + "\n")
    side.refused(INPUT, "org/tiny", words=["gated", side.home / "token"])


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_the_token_is_that_of_the_environment_before_the_saved_one(hub, side, tiny, variable):
    side.home.mkdir()
    (side.home / "token").write_text("hf_saved")
    side.pull("org/tiny", env={variable: " hf_right\n"})
    assert {headers.get("Authorization") for role, _, _, headers in hub.log if role == "hub"} == {"Bearer hf_right"}


def test_the_saved_token_is_where_the_variable_says(hub, side, tiny, tmp_path):
    (tmp_path / "elsewhere").write_text("hf_right\n")
    side.pull("org/tiny", env={"HF_TOKEN_PATH": str(tmp_path / "elsewhere"), "HF_TOKEN": ""})
    assert {headers.get("Authorization") for role, _, _, headers in hub.log if role == "hub"} == {"Bearer hf_right"}


def test_no_token_is_sent_where_that_is_switched_off(hub, side, tiny):
    side.pull("org/tiny", env={"HF_TOKEN": "hf_right", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"})
    assert {headers.get("Authorization") for _, _, _, headers in hub.log} == {None}


@pytest.mark.parametrize("token", ["a\nX-Injected: 1", "a b", "h\u00e9", "\x7f"])
def test_a_token_that_would_break_the_header_is_refused_and_not_sent(hub, side, tiny, token):
    done = side.refused(INPUT, "org/tiny", words=["HF_TOKEN"], env={"HF_TOKEN": token})
    assert hub.log == [] and token.split()[-1] not in done


def test_a_wrong_token_is_named(side, tiny):
    side.refused(INPUT, "org/tiny", words=["does not know the token", "HF_TOKEN"], env={"HF_TOKEN": "hf_wrong"})


def test_no_message_shows_the_token(hub, side):
    for name in "org/none", "org/tiny":
        done = side.weir("pull", name, env={"HF_TOKEN": "hf_secret"})
        assert done.returncode == INPUT and "secret" not in done.stderr


def test_a_missing_revision_is_named_with_those_that_there_are(hub, side, tiny):
    hub.add("org/tiny", MODEL, revision="step3000")
    side.refused(INPUT, "org/tiny@step3001", words=["org/tiny", "step3001", "step3000, main"])


def test_a_missing_file_is_named_with_the_nearest(hub, side):
    hub.add("org/tiny", {f"tiny-{q}.gguf": b"1" for q in ("Q2_K", "Q4_K_M", "Q4_K_S", "Q8_0", "F16")} | {"README.md": b""})
    done = side.refused(USAGE, "org/tiny", "tiny-Q4_K_L.gguf", words=["tiny-Q4_K_L.gguf", "tiny-Q4_K_M.gguf", "tiny-Q4_K_S.gguf"])
    assert "README" not in done


def test_a_repository_of_gguf_files_lists_them(hub, side):
    hub.add("org/tiny", {"a-Q4.gguf": b"4", "a-Q8.gguf": b"8", "README.md": b""})
    side.refused(USAGE, "org/tiny", words=["weir pull org/tiny FILE", "a-Q4.gguf", "a-Q8.gguf"])


@pytest.mark.parametrize("files, word", [({"config.json": b"{}", "pytorch_model.bin": b""}, "pytorch_model.bin"),
                                         ({"adapter_config.json": b"{}", "adapter_model.safetensors": b""}, "adapter"),
                                         ({"README.md": b""}, "config.json"), ({"config.json": b"{}"}, "safetensors")])
def test_a_repository_without_a_model_is_explained_before_anything_comes(hub, side, files, word):
    hub.add("org/tiny", files)
    side.refused(UNSUPPORTED, "org/tiny", words=[word])
    assert hub.bodies() == []


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "/etc", "org/", ".x/y", "org/tiny@", "org/tiny@../x", "org/ti ny", "https://x/y"])
def test_what_is_no_name_is_refused_and_nobody_asked(hub, side, name):
    side.refused(USAGE, name)
    assert hub.log == []


@pytest.mark.parametrize("variable, value", [("HF_ENDPOINT", "ftp://x"), ("HF_ENDPOINT", "hub.example"), ("HF_HUB_DOWNLOAD_TIMEOUT", "soon"),
                                             ("HF_HUB_DOWNLOAD_TIMEOUT", "0")])
def test_variables_that_cannot_be_are_named(side, variable, value):
    side.refused(USAGE, "org/tiny", words=[variable, value], env={variable: value})


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
@pytest.mark.parametrize("value", ["1", "true", "Yes", "ON"])
def test_nothing_is_asked_offline(hub, side, tiny, variable, value):
    side.refused(USAGE, "org/tiny", words=["HF_HUB_OFFLINE"], env={variable: value})
    assert hub.log == []


# for LD_PRELOAD: a system on which libcurl is not installed
NO_CURL = """
#include <dlfcn.h>
#include <string.h>
void *dlopen(const char *name, int flags)
{
    void *(*real)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    return name && strncmp(name, "libcurl", 7) == 0 ? NULL : real(name, flags);
}
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be loaded first")
def test_without_libcurl_one_line_names_the_package(side, tmp_path):
    library = tmp_path / "no_curl.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, "-x", "c", "-", "-ldl"], input=NO_CURL, text=True, check=True)
    env = {"LD_PRELOAD": str(library)}
    side.refused(UNSUPPORTED, "org/tiny", words=["libcurl.so.4", "install libcurl4"], env=env)
    assert side.weir("tokens", "-p", "a cat", env=env).returncode == 0


def test_a_repeated_file_is_one(hub, side):
    hub.add("org/tiny", {"a.gguf": b"1"})
    side.pull("org/tiny", "a.gguf", "a.gguf")
    assert len(hub.bodies()) == 1


# ---- -m NAME --pull ----

def test_a_model_that_is_not_in_the_cache_is_an_error_that_says_the_command(hub, side, tiny):
    done = side.weir("tokens", "-m", "org/tiny", "-p", "a cat")
    assert done.returncode == INPUT and "weir pull org/tiny" in done.stderr and hub.log == []
    done = side.weir("tokens", "-m", "org/tiny@main", "-p", "a cat")
    assert "weir pull org/tiny@main" in done.stderr and hub.log == []


COMMANDS = {"tokens": ["tokens", "-p", "a cat"], "hooks": ["hooks"], "info": ["info"], "run": ["run", "-p", "a cat"], "heads": ["heads", "--length", "5"],
            "dump": ["dump", "-p", "a cat", "-o", "run.h5"],
            "patch": ["patch", "--pairs", "pair.jsonl", "--metric", "logprob(answer)", "--top", "1"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_with_pull_the_model_is_fetched_first(hub, side, tiny, tmp_path, command):
    (tmp_path / "pair.jsonl").write_text((ROOT / "models/repeats.jsonl").read_text().splitlines()[0] + "\n")
    done = side.weir(*COMMANDS[command], "-m", "org/tiny", "--pull", cwd=tmp_path)
    assert done.returncode == 0 and "org/tiny: " in done.stderr and " MB fetched" in done.stderr, done.stderr


def test_with_pull_a_model_that_is_there_is_fetched_no_more(hub, side, tiny):
    side.pull("org/tiny")
    hub.log.clear()
    done = side.weir("info", "org/tiny", "--pull")
    assert done.returncode == 0 and "fetched" not in done.stderr and len(hub.log) == 1


def test_with_pull_offline_the_cache_is_used(hub, side, tiny):
    side.pull("org/tiny")
    hub.log.clear()
    assert side.weir("info", "org/tiny", "--pull", env={"HF_HUB_OFFLINE": "1"}).returncode == 0 and hub.log == []
    done = side.weir("info", "org/other", "--pull", env={"HF_HUB_OFFLINE": "1"})
    assert done.returncode == INPUT and "weir pull org/other" in done.stderr and hub.log == []


def test_with_pull_a_path_is_refused(hub, side, tmp_path):
    for args in ["info", tmp_path, "--pull"], ["tokens", "-m", tmp_path, "-p", "a", "--pull"], ["tokens", "-p", "a", "--pull"]:
        done = side.weir(*args)
        assert done.returncode == USAGE and "--pull" in done.stderr and done.stderr.count("\n") == 1
    assert hub.log == []


def test_with_pull_the_revision_and_the_environment_name_the_model(hub, side, tiny):
    hub.add("org/tiny", MODEL, revision="v1")
    assert side.weir("tokens", "-p", "a cat", "--pull", env={"WEIR_MODEL": "org/tiny@v1"}).returncode == 0
    assert (side.folder() / "refs/v1").exists()


# ---- what a person sees ----

def test_a_terminal_shows_how_much_is_left(hub, side):
    hub.add("org/tiny", {"config.json": b"{}", "model.safetensors": bytes(3_000_000)})
    hub.faults.pause = 0.05
    assert "MB/s" in (shown := on_terminal(side.home.parent, "pull", "org/tiny", messages=True, **side.env)) and " left" in shown
    hub.add("org/other", MODEL)
    assert "MB/s" not in side.weir("pull", "org/other").stderr
