"""weir and huggingface_hub on one cache, and what repositories have in them."""
import json
import os
import random
import subprocess
import sys
from pathlib import Path

from program import ROOT, WEIR

CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("HF_", "HUGGING", "TRANSFORMERS_", "WEIR_MODEL", "XDG_CACHE")) and not name.lower().endswith("_proxy")}
MODEL = {path.name: path.read_bytes() for path in (ROOT / "models/rill").iterdir() if path.name != "meson.build"}
BIG = random.Random(1).randbytes(3_000_000)         # nothing in it repeats
# what a repository has beside a model
CLUTTER = {"README.md": b"# a model\n", ".gitattributes": b"*.bin filter=lfs\n", "pytorch_model.bin": b"pickle" * 100,
           "onnx/model.safetensors": b"other", "original/config.json": b"{}", "consolidated.safetensors": b"twice"}


class Side:
    """weir and huggingface_hub with one cache"""
    def __init__(self, hub, home):
        self.hub, self.home = hub, home
        self.cache = home / "hub"
        self.env = {**CLEAN, "HF_HOME": str(home), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1",
                    "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}

    def weir(self, *args, **options):
        env = self.env | options.pop("env", {})
        return subprocess.run([WEIR, *map(str, args)], env=env, capture_output=True, text=True, timeout=300, **options)

    def pull(self, *args, **options):
        """-> the path that it prints"""
        done = self.weir("pull", *args, **options)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    def refused(self, code, *args, words=(), **options):
        """one line on standard error that has the words"""
        done = self.weir("pull", *args, **options)
        assert done.returncode == code, (done.returncode, done.stderr)
        assert done.stdout == "" and done.stderr.count("\n") == 1 and done.stderr.startswith("weir: "), done.stderr
        for word in words:
            assert str(word) in done.stderr, (word, done.stderr)
        return done.stderr

    def python(self, code, **options):
        """-> what a Python with huggingface_hub prints as JSON"""
        env = self.env | options.pop("env", {})
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300, **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def snapshot(self, name, offline=False, revision="main"):
        return Path(self.python(f"""
import json, huggingface_hub
print(json.dumps(huggingface_hub.snapshot_download({name!r}, revision={revision!r}, local_files_only={offline})))"""))

    def look(self, name, files, revision="main"):
        """what huggingface_hub sees in the cache without asking anybody -> what its scan warns of, the contents of the files
        that it finds"""
        if not self.cache.exists():
            return [], dict.fromkeys(files)
        warnings, paths = self.python(f"""
import json, huggingface_hub
print(json.dumps([[str(w) for w in huggingface_hub.scan_cache_dir().warnings],
                  [huggingface_hub.try_to_load_from_cache({name!r}, file, revision={revision!r}) for file in {list(files)!r}]]))""")
        return warnings, {file: Path(path).read_bytes() if path else None for file, path in zip(files, paths)}

    def found(self, name, files, revision="main"):
        return self.look(name, files, revision)[1]

    def warnings(self):
        return self.look("org/tiny", [])[0]

    def folder(self, name="org/tiny"):
        return self.cache / ("models--" + name.replace("/", "--"))

    def partials(self, name="org/tiny"):
        return sorted(self.folder(name).glob("blobs/*.incomplete"))

    def names(self, name="org/tiny"):
        """every name of a repository's folder, with what a link points to or how long a file is; without trees, a cache of
        huggingface_hub's for itself"""
        found = {}
        for path in sorted(self.folder(name).rglob("*")):
            key = str(path.relative_to(self.folder(name)))
            if not path.is_dir() and not key.startswith("trees/"):
                found[key] = os.readlink(path) if path.is_symlink() else path.read_bytes() if "refs/" in key else path.stat().st_size
        return found
