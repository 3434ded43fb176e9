"""weir pull when things go wrong: the cache is always one that weir and huggingface_hub accept, and a repeated pull finishes."""
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest

from program import WEIR
from sides import BIG, MODEL

INPUT, USAGE, UNSUPPORTED, OUTPUT = 3, 2, 4, 5
SHA = hashlib.sha256(BIG).hexdigest()


def is_sound(side, name, files):
    """both sides accept the cache, and what has a name is whole"""
    warnings, found = side.look(name, files)
    assert warnings == [] and all(data in (None, files[file]) for file, data in found.items())
    for blob in side.folder(name).glob("blobs/*"):
        if not blob.name.endswith(".incomplete"):
            assert blob.stat().st_size in {len(data) for data in files.values()}


def finishes(hub, side, name="org/large", files=None):
    hub.faults.__init__()
    side.pull(name)
    assert side.look(name, files or LARGE) == ([], files or LARGE)
    assert side.partials(name) == []


LARGE = {"config.json": b"{}", "model.safetensors": BIG}


# ---- connections ----

def test_a_connection_that_is_cut_goes_on_from_there(hub, side, large):
    hub.faults.cut, hub.faults.cuts = 1_000_000, 2
    assert (side.pull("org/large") / "model.safetensors").read_bytes() == BIG
    begun = [int(r.removeprefix("bytes=").removesuffix("-")) for r in hub.ranges()]
    assert len(begun) == 2 * 2 and begun[0] == begun[1] >= 900_000     # each at the hub and, after it, at the other host
    assert len({path for path in hub.bodies() if SHA in path}) == 1


def test_a_server_that_always_cuts_is_given_up_and_leaves_a_part_for_another_time(hub, side, large):
    hub.faults.cut, hub.faults.no_ranges = 200_000, True
    side.refused(INPUT, "org/large", words=["model.safetensors"])
    [partial] = side.partials("org/large")
    assert partial.read_bytes() == BIG[:partial.stat().st_size] and partial.stat().st_size > 0
    is_sound(side, "org/large", LARGE)
    hub.log.clear()
    size = partial.stat().st_size
    finishes(hub, side)
    assert hub.ranges()[0] == f"bytes={size}-"


def test_a_server_without_ranges_sends_all_again(hub, side, large):
    hub.faults.cut, hub.faults.cuts, hub.faults.no_ranges = 1_000_000, 1, True
    assert (side.pull("org/large") / "model.safetensors").read_bytes() == BIG


def test_a_busy_server_is_asked_again(hub, side, large):
    hub.faults.busy = 3
    side.pull("org/large")


def test_a_server_that_stays_busy_is_one_line(hub, side, large):
    hub.faults.busy = 1000
    side.refused(INPUT, "org/large", words=["503"])


def test_a_slow_server_is_given_up(hub, side, large):
    hub.faults.pause, hub.faults.piece = 0.5, 10
    done = side.refused(INPUT, "org/large", env={"HF_HUB_DOWNLOAD_TIMEOUT": "1"})
    assert "second" in done or "slow" in done.lower(), done


def test_a_host_that_is_not_there_is_one_line(hub, side):
    side.refused(INPUT, "org/large", words=["127.0.0.1"], env={"HF_ENDPOINT": "http://127.0.0.1:9"})


# ---- what an earlier pull left ----

def test_a_part_of_an_earlier_huggingface_hub_is_gone_on_with(hub, side, large):
    blobs = side.folder("org/large") / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{SHA}.incomplete").write_bytes(BIG[:1_234_567])
    finishes(hub, side)
    assert set(hub.ranges()) == {"bytes=1234567-"}


LEFT = {"other": b"x" * 1_234_567, "other and as long": b"x" * len(BIG), "longer": BIG + b"x", "all": BIG, "nothing": b""}


@pytest.mark.parametrize("left", LEFT)
def test_a_part_that_is_wrong_is_fetched_anew(hub, side, large, left):
    blobs = side.folder("org/large") / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{SHA}.incomplete").write_bytes(LEFT[left])
    finishes(hub, side)


def test_a_blob_that_lost_its_end_is_fetched_anew(hub, side, large):
    blob = (side.pull("org/large") / "model.safetensors").resolve()
    os.truncate(blob, 1000)
    finishes(hub, side)


def test_huggingface_hub_finishes_what_weir_began_and_weir_clears_up(hub, side, large):
    hub.faults.cut, hub.faults.no_ranges = 200_000, True
    assert side.weir("pull", "org/large").returncode == INPUT
    assert len(side.partials("org/large")) == 1
    hub.faults.__init__()
    folder = side.snapshot("org/large")
    assert (folder / "model.safetensors").read_bytes() == BIG
    hub.log.clear()
    assert side.pull("org/large") == folder and hub.bodies() == []
    assert side.warnings() == []


def test_weir_finishes_what_huggingface_hub_began(hub, side, large):
    hub.faults.pause = 0.05
    code = "import huggingface_hub; huggingface_hub.snapshot_download('org/large')"
    with subprocess.Popen([sys.executable, "-c", code], env=side.env, stderr=subprocess.DEVNULL) as process:
        while not side.partials("org/large"):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)
        process.kill()
    hub.faults.__init__()
    assert (side.pull("org/large") / "model.safetensors").read_bytes() == BIG
    is_sound(side, "org/large", LARGE)


# ---- signals ----

def start(side, *args, **options):
    return subprocess.Popen([WEIR, "pull", *args], env=side.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_an_interrupt_leaves_a_part_that_is_gone_on_with(hub, side, large):
    hub.faults.pause = 0.1
    with start(side, "org/large") as process:
        while not any(p.stat().st_size > 200_000 for p in side.partials("org/large")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, message = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT and out == "" and message.count("\n") == 1 and "interrupted" in message
    assert len(side.partials("org/large")) == 1
    is_sound(side, "org/large", LARGE)
    hub.log.clear()
    finishes(hub, side)
    assert hub.ranges()


def test_twenty_kills_at_any_moment(hub, side):
    rng = random.Random(3)
    files = MODEL | {"model.safetensors": BIG, "generation_config.json": b"{}", "merges.txt": b"", "vocab.txt": b"a"}
    hub.add("org/large", files)
    hub.faults.pause, hub.faults.piece = 0.002, 8192
    killed = 0
    for _ in range(20):
        with start(side, "org/large") as process:
            try:
                process.wait(rng.uniform(0, 0.6))
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
        if side.folder("org/large").exists():
            is_sound(side, "org/large", files)
        if process.returncode == 0:             # whole: begin again
            for blob in side.folder("org/large").glob("blobs/*"):
                blob.unlink()
            for link in side.folder("org/large").glob("snapshots/*/*"):
                link.unlink()
    assert killed >= 5
    finishes(hub, side, files=files)


def test_a_model_of_which_only_a_part_is_there_says_who_fetches_the_rest(hub, side, tiny):
    hub.faults.etag["model.safetensors"] = "0" * 64
    assert side.weir("pull", "org/tiny").returncode == INPUT
    done = side.weir("info", "org/tiny")
    assert done.returncode == INPUT and "weir pull fetches the rest" in done.stderr


# ---- two at once ----

def test_two_pulls_at_once_fetch_each_file_once(hub, side, large):
    hub.faults.pause = 0.01
    both = [start(side, "org/large") for _ in range(2)]
    for process in both:
        out, message = process.communicate(timeout=120)
        assert process.returncode == 0, message
    assert len(hub.bodies()) == len(set(hub.bodies())) == len(LARGE)
    finishes(hub, side)


def test_weir_and_huggingface_hub_at_once_wait_for_each_other(hub, side, large):
    hub.faults.pause = 0.03
    code = "import huggingface_hub; huggingface_hub.snapshot_download('org/large')"
    with subprocess.Popen([sys.executable, "-c", code], env=side.env, stderr=subprocess.DEVNULL) as python:
        while not side.partials("org/large"):
            assert python.poll() is None
            time.sleep(0.01)
        folder = side.pull("org/large")
        assert python.wait(120) == 0
    assert (folder / "model.safetensors").read_bytes() == BIG
    assert len(hub.bodies()) == len(set(hub.bodies()))
    finishes(hub, side)


# ---- no room ----

def test_a_limit_on_the_size_of_files_leaves_a_part(hub, side, large):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    side.refused(OUTPUT, "org/large", words=[".incomplete", "File too large"], preexec_fn=limit)
    is_sound(side, "org/large", LARGE)
    assert [p.stat().st_size for p in side.partials("org/large")] == [1_000_000]
    finishes(hub, side)


@pytest.fixture
def small_disk(side):
    """the cache is on a disk of 4 MB"""
    side.cache.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", side.cache], capture_output=True).returncode != 0:
        pytest.skip("a small disk can be made only where mount is allowed")
    yield side.cache
    subprocess.run(["umount", side.cache], check=True)


def test_a_disk_that_cannot_hold_it_is_told_before(hub, side, small_disk):
    hub.add("org/large", {"config.json": b"{}", "model.safetensors": BIG + BIG})
    side.refused(OUTPUT, "org/large", words=["MB free"])
    assert hub.bodies() == [] and not side.folder("org/large").exists()


def test_a_disk_that_fills_up_meanwhile_is_one_line_and_the_part_stays(hub, side, large, small_disk):
    hub.faults.pause = 0.15     # room for what a busy machine does in between
    filler = small_disk / "filler"
    with start(side, "org/large") as process:
        while not side.partials("org/large"):
            assert process.poll() is None
            time.sleep(0.01)
        filler.write_bytes(bytes(2_000_000))
        out, message = process.communicate(timeout=60)
    assert process.returncode == OUTPUT and out == "" and message.count("\n") == 1 and "No space left" in message
    filler.unlink()
    is_sound(side, "org/large", LARGE)
    finishes(hub, side)


def test_a_cache_that_cannot_be_written_is_one_line(side, tiny, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    side.refused(OUTPUT, "org/tiny", words=["file"], env={"HF_HUB_CACHE": str(tmp_path / "file")})


# ---- a server that lies ----

@pytest.mark.parametrize("size", [len(BIG) + 1, len(BIG) - 1, 10, "", "x", "-1", "1e3", "9" * 30, str(2**62), 0])
def test_a_wrong_size_is_one_line_and_leaves_nothing_under_a_name(hub, side, large, size):
    hub.faults.size["model.safetensors"] = size
    assert side.weir("pull", "org/large").returncode in (INPUT, OUTPUT)
    done = side.weir("pull", "org/large")
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    is_sound(side, "org/large", LARGE)
    finishes(hub, side)


def test_a_size_that_no_disk_has_is_told_before(hub, side, large):
    hub.faults.size["model.safetensors"] = 10**17
    side.refused(OUTPUT, "org/large", words=["MB free"])
    assert hub.bodies() == []


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_wrong_hash_is_one_line_and_leaves_nothing_under_a_name(hub, side, large, file):
    hub.faults.body[file] = LARGE[file][:-1] + b"?"
    side.refused(INPUT, "org/large", words=[file, "SHA"])
    assert side.found("org/large", [file]) == {file: None} and side.partials("org/large") == []
    is_sound(side, "org/large", LARGE)
    finishes(hub, side)


BODIES = {"nothing": b"", "the beginning": BIG[:1000], "more": BIG + b"more", "twice": BIG * 2}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_another_length_is_one_line(hub, side, large, body, chunked):
    hub.faults.body["model.safetensors"], hub.faults.chunked = BODIES[body], chunked
    side.refused(INPUT, "org/large", words=["model.safetensors"])
    assert side.found("org/large", ["model.safetensors"]) == {"model.safetensors": None}
    is_sound(side, "org/large", LARGE)
    finishes(hub, side)


def test_a_body_without_end_is_cut_at_the_size_of_the_file(hub, side, large):
    hub.faults.body["model.safetensors"], hub.faults.chunked = BIG * 30, True
    side.refused(INPUT, "org/large", words=["more comes than the 3000000 bytes"])
    assert hub.sent < 10 * len(BIG)


def test_a_body_of_unknown_length_is_fetched(hub, side, large):
    hub.faults.chunked = True
    assert (side.pull("org/large") / "model.safetensors").read_bytes() == BIG


def test_another_part_than_was_asked_for_is_one_line(hub, side, large):
    hub.faults.cut, hub.faults.cuts, hub.faults.range_shift = 1_000_000, 1, 1
    side.refused(INPUT, "org/large", words=["another part"])
    is_sound(side, "org/large", LARGE)
    finishes(hub, side)


@pytest.mark.parametrize("etag", ["../../../x", "..", "", "a/b", "a" * 200, ".hidden", "a b"])
def test_an_etag_that_is_no_name_is_one_line(hub, side, large, etag):
    hub.faults.etag["model.safetensors"] = etag
    side.refused(INPUT, "org/large", words=["ETag"])
    assert not (side.home / "x").exists()
    is_sound(side, "org/large", LARGE)


def test_an_etag_that_is_no_hash_is_a_name(hub, side, large):
    hub.faults.etag["model.safetensors"] = "d41d8cd98f00b204e980-38"
    assert (side.pull("org/large") / "model.safetensors").read_bytes() == BIG
    assert side.found("org/large", LARGE) == LARGE


def test_what_comes_compressed_is_refused(hub, side, large):
    hub.faults.encoding = "gzip"
    side.refused(INPUT, "org/large", words=["gzip"])
    is_sound(side, "org/large", LARGE)


def test_an_answer_without_a_commit_is_no_hub(hub, side, large):
    hub.faults.no_commit = True
    side.refused(INPUT, "org/large", words=["X-Repo-Commit"])


NAMES = ["../../x.safetensors", "/etc/x.safetensors", "a/../../x.safetensors", "./x.safetensors", "a//x.safetensors", "",
         "x\\..\\y.safetensors", "a" * 300 + ".safetensors", "x\u0007.safetensors", ".."]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leaves_the_folder_is_one_line_and_nothing_is_fetched(hub, side, large, name):
    hub.faults.listing = json.dumps({"sha": "0" * 40, "siblings": [{"rfilename": "config.json"}, {"rfilename": name}]})
    side.refused(INPUT, "org/large", words=["name"])
    assert hub.bodies() == [] and not side.cache.exists()


LISTINGS = {"html": "<!DOCTYPE html><html>sign in</html>", "nothing": "", "not JSON": "{", "deep": "{\"a\":" * 5000, "list": "[]",
            "no sha": '{"siblings": []}', "short sha": '{"sha": "abc", "siblings": []}', "path sha": '{"sha": "../../../../../../../../../../../../../x", "siblings": []}',
            "no list": '{"sha": "' + "0" * 40 + '"}', "not UTF-8": b"{\"sha\": \"\xff\"}", "number": '{"sha": "' + "0" * 40 + '", "siblings": [1]}',
            "no files": '{"sha": "' + "0" * 40 + '", "siblings": []}'}


@pytest.mark.parametrize("what", LISTINGS)
def test_what_is_no_list_of_files_is_one_line(hub, side, large, what):
    hub.faults.listing = LISTINGS[what]
    done = side.weir("pull", "org/large")
    assert done.returncode in (INPUT, UNSUPPORTED) and done.stderr.count("\n") == 1 and hub.bodies() == []


@pytest.mark.parametrize("index", [b"{}", b"[]", b"<html>", b'{"weight_map": {"a": 1}}', b'{"weight_map": {"a": "../x"}}', b'{"weight_map": {}}',
                                   b'{"weight_map": {"a": "missing.safetensors"}}'])
def test_an_index_that_names_no_files_is_one_line(hub, side, index):
    hub.add("org/large", {"config.json": b"{}", "model.safetensors.index.json": index, "model-1.safetensors": b"1"})
    side.refused(INPUT, "org/large", words=["index"])


# ---- redirects ----

def test_the_token_goes_to_the_hub_and_to_nobody_else(hub, side, large):
    side.pull("org/large", env={"HF_TOKEN": "hf_right"})
    sent = {role: {headers.get("Authorization") for r, _, _, headers in hub.log if r == role} for role in ("hub", "cdn")}
    assert sent == {"hub": {"Bearer hf_right"}, "cdn": {None}}


def test_the_token_does_not_go_to_another_host_that_the_list_is_redirected_to(hub, side, large):
    hub.faults.redirect = hub.cdn + "/api/models/org/large/revision/main"
    side.refused(INPUT, "org/large", words=["10 times"], env={"HF_TOKEN": "hf_right"})
    assert {headers.get("Authorization") for role, _, _, headers in hub.log if role == "cdn"} == {None}


def test_redirects_without_end_are_one_line(hub, side, large):
    hub.faults.redirect = "/again"
    side.refused(INPUT, "org/large", words=["redirects"])
    assert len(hub.log) <= 12


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x", "http://", "javascript:1"])
def test_redirects_to_other_than_http_are_not_followed(hub, side, large, where):
    hub.faults.to["model.safetensors"] = where
    side.refused(INPUT, "org/large", words=["http"])
    is_sound(side, "org/large", LARGE)
