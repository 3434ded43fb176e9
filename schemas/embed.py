#!/usr/bin/env python3
"""embed.py STORE.json OUT.c: the schema of stored files as a C array, for weir schema store."""
import sys
from pathlib import Path


def main(schema, out):
    data = Path(schema).read_bytes()
    assert data.isascii(), "write other characters as escapes: the array is of signed characters"
    lines = (", ".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32))
    Path(out).write_text('#include "cli/commands/store_schema.h"\n\nconst char store_schema[] = {\n' + ",\n".join(lines) + "};\n"
                         f"const size_t store_schema_size = {len(data)};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
