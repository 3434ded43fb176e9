#!/usr/bin/env python3
"""embed.py PAGE.html PAGE.css SCRIPT.js... OUT.c: the page of weir view as three C arrays: up to its data, the script, the end.

The data that the page opens with comes before the script, the rest after it, so that the page draws while that loads.

The style and the scripts (in the order given, as one) go into the page where it says {{css}} and {{js}}; {{policy}} becomes a
content security policy that allows exactly these two, by their hashes, and nothing else, no network either.
"""
import base64
import hashlib
import re
import sys
from pathlib import Path


def hash_of(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def c_array(name, text):
    data = text.encode()
    lines = (", ".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32))
    return (f"const char {name}[] = {{\n" + ",\n".join(lines) + "};\n"
            f"const size_t {name}_size = {len(data)};\n")


def check_names(js):
    """One function of two of a name would silently be both."""
    names = re.findall(r"^(?:async )?function (\w+)", js, re.M)
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"two functions are called {', '.join(sorted(twice))}"


def main(html, css, *scripts_and_out):
    *scripts, out = scripts_and_out
    css = Path(css).read_text()
    js = "'use strict';\n" + "".join(Path(script).read_text() for script in scripts)
    check_names(js)
    js = "(() => {\n" + js + "})();\n"
    policy = (f"default-src 'none'; script-src {hash_of(js)}; style-src {hash_of(css)}; base-uri 'none'; "
              "form-action 'none'")
    page = Path(html).read_text()
    for what, text in ("policy", policy), ("css", css), ("js", js):
        assert page.count("{{%s}}" % what) == 1, what
        page = page.replace("{{%s}}" % what, text)
    assert page.isascii(), "write other characters as escapes: the arrays are of signed characters"
    head, script, tail = page.split("{{data}}")
    Path(out).write_text('#include "cli/page/parts.h"\n\n' + c_array("page_shell_head", head) +
                         c_array("page_shell_script", script) + c_array("page_shell_tail", tail))


if __name__ == "__main__":
    main(*sys.argv[1:])
