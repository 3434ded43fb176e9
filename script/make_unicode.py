#!/usr/bin/env python3
"""Writes lib/token/unicode_tables.c: Unicode as Hugging Face tokenizers sees it.

The library mixes several versions of Unicode (its regex engine, Rust's char methods, the normalization crate), and none
is the version of Python or PCRE2. So nothing here is looked up: every table is measured by asking the installed
`tokenizers` about every code point. Run it again when tokenizers changes:

    python3 script/make_unicode.py > lib/token/unicode_tables.c
"""
import struct
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CHUNK = 4096

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()
SCRIPTS = """Latin Greek Cyrillic Armenian Hebrew Arabic Devanagari Bengali Tamil Telugu Thai Lao Tibetan Georgian
             Hangul Ethiopic Khmer Mongolian Hiragana Katakana Bopomofo Han Common Inherited""".split()
POSIX = "alnum alpha blank cntrl digit graph lower print punct space upper xdigit word".split()


def regex_class(pattern):
    """Code points that the regex engine of Split says `pattern` matches."""
    split = pre_tokenizers.Split(Regex(pattern + "+"), "removed")
    found = set()
    for i in range(0, len(CODES), CHUNK):
        part = CODES[i:i + CHUNK]
        kept = set()
        for _, (a, b) in split.pre_tokenize_str("".join(map(chr, part))):
            kept.update(range(a, b))
        found.update(c for j, c in enumerate(part) if j not in kept)
    return found


def numeric():
    """What the Digits pre-tokenizer isolates."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    found = set()
    for i in range(0, len(CODES), CHUNK):
        text = "aa".join(map(chr, CODES[i:i + CHUNK]))
        found.update(ord(p) for p, _ in digits.pre_tokenize_str("aa" + text + "aa") if len(p) == 1)
    return found


def beside_added(**options):
    """Code points in front of an added token that change what it matches."""
    tokenizer = Tokenizer(models.BPE({"a": 0}, []))
    tokenizer.add_tokens([AddedToken("<x>", normalized=False, **options)])
    texts = [chr(c) + "<x>" for c in CODES]
    for c, encoding in zip(CODES, tokenizer.encode_batch(texts)):
        yield c, encoding


def added_word():
    return {c for c, e in beside_added(single_word=True) if 1 not in e.ids}


def added_space():
    return {c for c, e in beside_added(lstrip=True) if e.offsets and e.offsets[-1][0] == 0}


def cut_by(pre_tokenizer):
    """Code points that `pre_tokenizer` cuts off, or out, of a word."""
    return {c for c in CODES if len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "a")) > 1}


def removed_by(normalizer):
    return {c for c in CODES if normalizer.normalize_str("a" + chr(c)) == "a"}


def lowercase():
    lower = normalizers.Lowercase().normalize_str
    return {c: [ord(x) for x in lower(chr(c))] for c in CODES if lower(chr(c)) != chr(c)}


def charsmap_of_any_byte():
    """A Precompiled charsmap whose every key is one byte, and every value "X": it makes a cluster of less than six bytes
    one X, so that clusters can be counted. (The map is a double-array trie, whose units are label, offset and leaf bit.)"""
    units = [256 << 10] + [0] * 1023  # the root's children are at 256 ^ byte
    for byte in range(1, 256):
        units[256 ^ byte] = byte | 1 << 8 | ((256 ^ byte) ^ 512) << 10  # with a leaf, at 512
    return struct.pack("<I1024I", 4096, *units) + b"X\0"


def clusters():
    """The classes that decide about clusters of less than six bytes: what joins the one before, what the one behind, and
    what nothing joins."""
    x = normalizers.Precompiled(charsmap_of_any_byte()).normalize_str
    size = lambda c: len(chr(c).encode())
    extends = {c for c in CODES if c and x("a" + chr(c)) == "X"}
    prepends = {c for c in CODES if c and x(chr(c) + "a") == "X"}
    alone = {c for c in CODES if size(c) < 4 and c and x(chr(c) + "\u0301") == "XX"}
    # longer ones are clusters of six bytes with anything; a map does nothing to those
    return extends, prepends, alone | {0} | {c for c in regex_class(r"\p{Cf}") - extends - prepends if size(c) == 4}


def ranges(codes):
    out = []
    for c in sorted(codes):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


NORMALIZERS = {n: getattr(normalizers, n)().normalize_str for n in ("NFC", "NFD", "NFKC", "NFKD")}


def decompositions(form):
    """Full decompositions, without Hangul syllables, which are computed."""
    normalize, out = NORMALIZERS[form], {}
    for c in CODES:
        if 0xAC00 <= c <= 0xD7A3:
            continue
        result = normalize(chr(c))
        if result != chr(c):
            out[c] = [ord(x) for x in result]
    return out


def combining_classes(canonical):
    """Canonical combining classes, by which marks they change places with."""
    nfd = NORMALIZERS["NFD"]

    def moves(first, second):
        """Whether `first` sorts behind `second`; no mark but those of class 0 stays before all and behind all."""
        return nfd("a" + first + second) != "a" + first + second

    low, high = "\u0334", "\u0345"  # classes 1 and 240, the outermost
    singles = [c for c in CODES if c not in canonical and not 0xAC00 <= c <= 0xD7A3]
    marks = [chr(c) for c in singles if moves(chr(c), low) or moves(high, chr(c))]
    example = {}  # class: a mark that it is known to have
    for m in marks:
        example.setdefault(unicodedata.combining(m), m)
    assert 0 not in example
    out = {}
    for m in marks:
        same = [k for k, e in example.items() if not moves(m, e) and not moves(e, m)]
        assert len(same) == 1, (hex(ord(m)), same)
        out[ord(m)] = same[0]
    return out


def compositions():
    out = []
    for c in CODES:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            a, b = (int(p, 16) for p in parts)
            if NORMALIZERS["NFC"](chr(a) + chr(b)) == chr(c):
                out.append((a, b, c))
    return sorted(out)


def rows(items, form, per_line):
    items = [form(*x) for x in items]
    for i in range(0, len(items), per_line):
        print("    " + " ".join(items[i:i + per_line]))


def print_classes(classes):
    print("const struct weir_code_range weir_unicode_ranges[] = {")
    index, at = [], 0
    for name, codes in classes:
        r = ranges(codes)
        print(f"    /* {name} */")
        rows(r, lambda a, b: f"{{0x{a:x}, 0x{b:x}}},", 6)
        index.append((name, at, len(r)))
        at += len(r)
    print("};\n\nconst struct weir_unicode_class weir_unicode_classes[] = {")
    rows(index, lambda name, first, n: f'{{"{name}", {first}, {n}}},', 4)
    print("};\nconst size_t weir_n_unicode_classes = sizeof weir_unicode_classes / sizeof weir_unicode_classes[0];\n")


def print_decompositions(**tables):
    data, where = [], {}

    def place(codes):
        key = tuple(codes)
        if key not in where:
            where[key] = len(data)
            data.extend(codes)
        return where[key]

    for name, table in tables.items():
        print(f"const struct weir_decomposition weir_{name}[] = {{")
        rows([(c, place(t), len(t)) for c, t in sorted(table.items())], lambda c, a, n: f"{{0x{c:x}, {a}, {n}}},", 6)
        print(f"}};\nconst size_t weir_n_{name} = sizeof weir_{name} / sizeof weir_{name}[0];\n")
    print("const uint32_t weir_decomposed[] = {")
    rows([(c,) for c in data], lambda c: f"0x{c:x},", 14)
    print("};\n")


def print_marks(classes):
    marks = []
    for c, k in sorted(classes.items()):
        if marks and marks[-1][1] == c - 1 and marks[-1][2] == k:
            marks[-1][1] = c
        else:
            marks.append([c, c, k])
    print("const struct weir_mark weir_marks[] = {")
    rows(marks, lambda a, b, k: f"{{0x{a:x}, 0x{b:x}, {k}}},", 6)
    print("};\nconst size_t weir_n_marks = sizeof weir_marks / sizeof weir_marks[0];\n")


def main():
    classes = [(n, regex_class(r"\p{%s}" % n)) for n in CATEGORIES]
    everything = set().union(*(c for _, c in classes))
    assert sum(len(c) for _, c in classes) == len(everything) == len(CODES)
    classes += [(n, regex_class(r"\p{%s}" % n)) for n in SCRIPTS]
    classes += [("posix " + n, regex_class("[[:%s:]]" % n)) for n in POSIX]
    by_name = dict(classes)
    assert by_name["posix space"] == regex_class(r"\s") and by_name["posix xdigit"] == regex_class(r"\h")
    assert by_name["posix digit"] == regex_class(r"\d") == by_name["Nd"]
    bare_word = regex_class(r"\w")  # outside brackets it has six characters more than [\w]
    assert bare_word | regex_class(r"\W") == everything
    classes += [("bare word", bare_word)]
    classes += [("rust numeric", numeric()), ("rust word", added_word()), ("rust space", added_space())]
    classes += [("bert punctuation", cut_by(pre_tokenizers.Punctuation())),
                ("combining mark", removed_by(normalizers.StripAccents()))]
    assert by_name["posix space"] == removed_by(normalizers.Strip()) == cut_by(pre_tokenizers.WhitespaceSplit())
    classes += zip(("cluster extend", "cluster prepend", "cluster alone"), clusters())
    classes += [("pictograph", regex_class(r"\p{Extended_Pictographic}"))]
    canonical, compatible = decompositions("NFD"), decompositions("NFKD")
    compatible = {c: t for c, t in compatible.items() if canonical.get(c) != t}

    print(f"/* Made by script/make_unicode.py from tokenizers {tokenizers.__version__}; do not edit. */")
    print('/* clang-format off */\n#include "token/unicode_tables.h"\n')
    print_classes(classes)
    print_decompositions(canonical=canonical, compatible=compatible, lower=lowercase())
    print_marks(combining_classes(canonical))
    print("const struct weir_composition weir_compositions[] = {")
    rows(compositions(), lambda a, b, c: f"{{0x{a:x}, 0x{b:x}, 0x{c:x}}},", 5)
    print("};\nconst size_t weir_n_compositions = sizeof weir_compositions / sizeof weir_compositions[0];")


if __name__ == "__main__":
    sys.exit(main())
