"""What stands where a file is expected and is none: pipes, folders, devices, and files that another process has."""
import fcntl
import os
import shutil
import socket
import subprocess

import h5py
import pytest

from program import BUILD, CLEAN, FOREVER, ROOT, WEIR, weir


GPT2 = ROOT / "tests/model/fixtures/gpt2"


@pytest.fixture
def stored(tmp_path):
    subprocess.run([BUILD / "tests/unit/store_cli", "equal", tmp_path / "a.h5"], check=True)
    return tmp_path / "a.h5"


def run(folder, *args, **options):
    """a run that hangs fails the test"""
    return weir(folder, *args, seconds=60, **options)


def refused(done, code, *words):
    message = done.stderr.decode()
    assert done.returncode == code and message.count("\n") == 1, (done.returncode, message)
    assert all(word in message for word in words), message


def model_with(folder, name):
    """A model's folder in which `name` is a pipe."""
    shutil.copytree(GPT2, folder / "model")
    (folder / "model" / name).unlink(missing_ok=True)
    os.mkfifo(folder / "model" / name)
    return "model"


@pytest.mark.parametrize("command", ["ls", "show", "stats", "attn", "heads", "tui", "diff", "validate", "export", "view"])
def test_a_pipe_is_no_stored_file(tmp_path, command):
    os.mkfifo(tmp_path / "p.h5")
    more = {"show": ["z"], "export": ["z", "-o", "o.npy"], "diff": ["p.h5"], "view": ["-o", "o.html"]}.get(command, [])
    refused(run(tmp_path, command, "p.h5", *more, stdin=subprocess.DEVNULL), 2 if command == "tui" else 3, *([] if command == "tui" else ["p.h5", "a pipe"]))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_pipe_in_a_models_folder(tmp_path, name):
    refused(run(tmp_path, "dump", "-m", model_with(tmp_path, name), "-p", "a", "-o", "o.h5"), 3, name, "a pipe")
    assert not (tmp_path / "o.h5").exists()


def test_a_pipe_named_as_gguf(tmp_path):
    os.mkfifo(tmp_path / "p.gguf")
    refused(run(tmp_path, "dump", "-m", "p.gguf", "-p", "a", "-o", "o.h5"), 3, "p.gguf", "a pipe")
    refused(run(tmp_path, "info", "p.gguf"), 3, "p.gguf", "a pipe")


def test_prompts_from_a_pipe_that_nobody_writes_to(tmp_path):
    os.mkfifo(tmp_path / "prompts")
    refused(run(tmp_path, "tokens", "-m", ROOT / "models/rill", "-f", "prompts"), 3, "prompts", "without a writer")


def test_prompts_from_a_folder_and_a_socket(tmp_path):
    refused(run(tmp_path, "tokens", "-m", ROOT / "models/rill", "-f", tmp_path), 3, "a folder")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        refused(run(tmp_path, "tokens", "-m", ROOT / "models/rill", "-f", "s"), 3, "s: cannot be opened")


@pytest.mark.parametrize("early", [True, False])
def test_prompts_from_a_command(tmp_path, early):
    """<(command) is a pipe with a writer, which may be done or not have begun"""
    line = f"{WEIR} tokens -m {ROOT}/models/rill -f <({'' if early else 'sleep 0.2; '}echo one; {'' if early else 'sleep 0.2; '}echo the) --json"
    done = subprocess.run(["bash", "-c", line], capture_output=True, cwd=tmp_path, env=CLEAN, timeout=FOREVER)
    assert done.returncode == 0 and b'"one"' in done.stdout and b'"the"' in done.stdout, done.stderr


def test_a_file_that_another_process_writes(stored):
    with h5py.File(stored, "r+"):
        for command in "ls", "validate", "stats":
            refused(run(stored.parent, command, "a.h5"), 3, "another process has it open for writing")
        assert run(stored.parent, "ls", "a.h5", env={"HDF5_USE_FILE_LOCKING": "FALSE"}).returncode == 0
    assert run(stored.parent, "ls", "a.h5").returncode == 0


def test_a_file_that_another_process_reads(stored):
    with open(stored) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert run(stored.parent, "ls", "a.h5").returncode == 0


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/proc/self", "/"])
def test_devices_and_folders(tmp_path, path):
    for command in "ls", "validate":
        refused(run(tmp_path, command, path), 3, "not a regular file")
