#!/usr/bin/env python3
"""Runs the notebooks of this folder again and keeps what comes out in them:

    .venv/bin/python python/examples/run.py [NAME.ipynb ...]

The kernel is the Python that runs this; it takes `weir` from this tree and the binary as weir.dump finds it.
"""

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def execute(path: Path) -> Any:
    """The notebook with the outputs of a run, without what differs from run to run: times, and words on stderr."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *([others] if others else [])])
    where = {"metadata": {"path": str(HERE)}}
    # coalesce_streams: what a cell prints comes in one piece or several, as the kernel's clock has it
    client = NotebookClient(
        notebook, timeout=600, startup_timeout=300, kernel_name="python3", resources=where, coalesce_streams=True
    )
    client.execute()
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return notebook


def main() -> None:
    for path in [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("*.ipynb")):
        nbformat.write(execute(path), path)  # type: ignore[no-untyped-call]
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
