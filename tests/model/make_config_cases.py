"""What transformers makes of each of config_cases.py, kept in fixtures/config_cases.h5.

    script/oracle tests/model/make_config_cases.py [--check [--share N]] [FOLDER ...]

A case is run only where it changes what the model's code looks at: the attributes of the configuration that were looked at while
the unchanged folder was opened and run. Of every case it is kept whether the folder opens and runs (AutoModelForCausalLM,
float64), which tensors the model lacks, and every EVERY-th logit of the last position; where these are the unchanged folder's,
only that. With --check nothing is written: what is kept is compared with what the installed transformers, which must be of the
same version, computes now; with --share N for every N-th case of each folder.
"""
import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "oracle")]

import h5py  # noqa: E402
import numpy as np  # noqa: E402

import config_cases  # noqa: E402
import prompts  # noqa: E402
from cache import FIXTURES  # noqa: E402

OUT = FIXTURES / "config_cases.h5"
LENGTH, EVERY = 12, 4


def quiet():
    import torch
    import transformers
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)


def run(folder):
    """-> (why it does not open or run, names of tensors the model lacks, logits); a tensor left over is no matter here"""
    import torch
    import reference
    from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM
    try:
        torch.manual_seed(0)
        config = json.loads((Path(folder) / "config.json").read_text())
        eager = config["model_type"] != "falcon"                # there it adds ALiBi twice
        auto = AutoModelForMultimodalLM if "text_config" in config else AutoModelForCausalLM
        model, info = auto.from_pretrained(
            folder, dtype=torch.float64, attn_implementation="eager" if eager else "sdpa", experts_implementation="eager",
            output_loading_info=True)
        lacks = sorted(set(info["missing_keys"]) | {str(name) for name, *_ in info["mismatched_keys"]})
        with torch.no_grad(), reference.all_double(lambda x: None):
            logits = model.eval()(torch.tensor([prompts.tokens(LENGTH)])).logits
    except Exception as failure:                                # whatever a folder makes it say
        return f"{type(failure).__name__}: {' '.join(str(failure).split())[:120]}", [], None
    return None, lacks, logits[0, -1, ::EVERY].numpy().astype(np.float32)


class Attributes:
    """Which attributes of a configuration are looked at, and what a folder's configuration has there."""

    def __init__(self, folder):
        from transformers import AutoConfig
        self.read_config, self.folder = lambda at: AutoConfig.from_pretrained(at).get_text_config(), folder
        self.cls = type(self.read_config(folder))
        self.names = set()

    def watch(self, work):
        own, names = self.cls.__getattribute__, self.names

        def spy(config, name):
            names.add(name)
            return own(config, name)
        self.cls.__getattribute__ = spy
        try:
            return work()
        finally:
            self.cls.__getattribute__ = own

    def values(self):
        """name -> value, of those that were looked at; None where the folder has no configuration that is one"""
        try:
            config = self.read_config(self.folder)
        except Exception:                                       # run says why
            return None
        names = [name for name in self.names if not name.startswith("__") and name != "per_layer_config"]   # a view, not a value
        said = {name: getattr(config, name, None) for name in names}
        return {name: x.to_dict() if hasattr(x, "to_dict") else x for name, x in said.items() if not callable(x)}


def run_folder(name, share=1):
    """{case: {"same" | "fails" | "lacks" | "logits"}} of every share-th case of one folder, the unchanged one among them"""
    quiet()
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        config_cases.place_weights(name, Path(scratch))
        for case, changes in list(config_cases.cases(name).items())[::share]:
            config = config_cases.changed(config_cases.base_config(name), changes)
            (Path(scratch) / "config.json").write_text(json.dumps(config_cases.whole_config(name, config)))
            if not changes:                                     # the first
                looked_at = Attributes(scratch)
                base = looked_at.watch(lambda: run(scratch))[2]
                unchanged = looked_at.values()
                found[case] = dict(logits=base)
            elif looked_at.values() == unchanged:
                found[case] = dict(same=True)
            else:
                failure, lacks, logits = run(scratch)
                found[case] = (dict(fails=failure) if failure else dict(lacks=lacks[:3]) if lacks else
                               dict(same=True) if (logits == base).all() else dict(logits=logits))
    return name, found


def save(results, path):
    import transformers
    logits, index = [], {}
    for name, found in results:
        for case, result in found.items():
            if "logits" in result:
                result = dict(logits=len(logits))
                logits.append(found[case]["logits"])
            index.setdefault(name, {})[case] = result
    with h5py.File(path, "w") as out:
        out.create_dataset("logits", data=np.stack(logits))
        out.create_dataset("cases", data=np.frombuffer(json.dumps(index).encode(), np.uint8), compression=9)
        out.attrs.update(transformers=transformers.__version__, length=LENGTH, every=EVERY)


def load(path=OUT):
    """{folder: {case: {"same" | "fails" | "lacks" | "logits": array}}}, attributes"""
    with h5py.File(path) as file:
        index, logits = json.loads(file["cases"][...].tobytes()), file["logits"][...]
        attributes = dict(file.attrs)
    for found in index.values():
        for result in found.values():
            if "logits" in result:
                result["logits"] = logits[result["logits"]]
    return index, attributes


def same(a, b):
    return a.keys() == b.keys() and ("logits" not in a or np.allclose(a["logits"], b["logits"], rtol=1e-5, atol=1e-5))


def check(results, kept, attributes):
    """-> what is otherwise than kept"""
    import transformers
    if attributes["transformers"] != transformers.__version__:
        return [f"kept is what transformers {attributes['transformers']} computes, this is {transformers.__version__}"]
    return [f"{name}: {case}" for name, found in results for case, result in found.items()
            if not same(result, kept.get(name, {}).get(case, {}))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--share", type=int, default=1, metavar="N")
    parser.add_argument("--out", default=OUT)
    parser.add_argument("folder", nargs="*")
    options = parser.parse_args()
    if options.share != 1 and not options.check:
        parser.error("--share needs --check")
    folders = options.folder or config_cases.FOLDERS + config_cases.SECOND + list(config_cases.INSIDE)
    with multiprocessing.get_context("spawn").Pool(min(os.cpu_count(), len(folders))) as pool:
        results = pool.starmap(run_folder, [(name, options.share) for name in folders], chunksize=1)
    n = sum(len(found) for _, found in results)
    if options.check:
        wrong = check(results, *load(options.out))
        print(f"{n} cases of {len(results)} folders, {len(wrong)} otherwise than kept", *wrong[:20], sep="\n")
        sys.exit(bool(wrong))
    others = [(name, found) for name, found in (load(options.out)[0] if Path(options.out).exists() else {}).items()
              if name not in dict(results)]
    save(others + results, options.out)
    print(f"{n} cases of {len(results)} folders")


if __name__ == "__main__":
    main()
