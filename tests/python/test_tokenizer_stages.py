"""Each normalizer and pre-tokenizer of tokenizer.json by itself and in company, and Unigram: ids against tokenizers'."""
import base64
import io
import json
import struct

import pytest
import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import import_protobuf

import token_texts
from token_reference import bytes_of, compare, ids_of, run, save, trained

MARK = "\u2581"


@pytest.fixture(scope="session")
def letters():
    """A byte-level model: what a stage leaves of a text shows in its ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return trained(tokenizer, size=500).model


@pytest.fixture(scope="session")
def charsmap():
    """nmt_nfkc of SentencePiece, which most of its models have."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(token_texts.SCRIPTS.values()), model_writer=model, vocab_size=600, model_type="char",
        normalization_rule_name="nmt_nfkc", hard_vocab_limit=False, minloglevel=2)
    proto = import_protobuf().ModelProto.FromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def texts(every=1):
    return (token_texts.EDGE_CASES + list(token_texts.SCRIPTS.values()) + token_texts.every_character()[:8192:every] +
            token_texts.random_texts(700, seed=7))


NORMALIZERS = {
    "Lowercase": normalizers.Lowercase(), "StripAccents": normalizers.StripAccents(), "Nmt": normalizers.Nmt(),
    "NFD, StripAccents": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
    "Strip": normalizers.Strip(), "left": normalizers.Strip(right=False), "right": normalizers.Strip(left=False),
    "Replace": normalizers.Replace(Regex(" {2,}"), MARK), "Prepend": normalizers.Prepend("x"),
    "nested": normalizers.Sequence([normalizers.Sequence([normalizers.Strip(), normalizers.Lowercase()]),
                                    normalizers.Replace("e", "\u0301"), normalizers.NFC()]),
}


@pytest.mark.parametrize("name", NORMALIZERS)
def test_normalizers(tmp_path, letters, name):
    tokenizer = Tokenizer(letters)
    tokenizer.normalizer = NORMALIZERS[name]
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    compare(save(tmp_path, tokenizer), tokenizer, texts(every=1 if name in ("Lowercase", "StripAccents", "Nmt") else 40))


def test_byte_level_normalizer(tmp_path, letters):
    tokenizer = Tokenizer(letters)
    tokenizer.normalizer = normalizers.ByteLevel()
    compare(save(tmp_path, tokenizer), tokenizer, texts(every=40))
    assert bytes_of(tmp_path)[tokenizer.token_to_id("\u0120")] == b" "


def test_precompiled(tmp_path, letters, charsmap):
    """Beside every character a mark, a joiner, a Hangul vowel: what belongs to one cluster is mapped as one."""
    tokenizer = Tokenizer(letters)
    tokenizer.normalizer = normalizers.Precompiled(charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    clusters = [f"{a}{b}{c}" for a in ("\ufb01", "\u1161", "\u00a9", "\u0600", "\r", "\u3131", "\uff76", "\u2122")
                for b in ("\u0301", "\u200d", "\u1161", "\u11a8", "\n", "\uff9e", "\ufe0f", "\u0344", "\u0341")
                for c in ("\u0301", "\u00ae", "\u0308", "a", "\u2049", "\u11a8", "\uac00")]
    marked = [t.replace("a", "\u0301") for t in token_texts.every_character()[:8192]]
    compare(save(tmp_path, tokenizer), tokenizer, texts() + clusters + marked)


def test_precompiled_with_long_offsets_and_dead_ends(tmp_path, letters):
    """Maps that no trainer writes: bytes as keys, ends outside, offsets in units of 256. Nothing is read outside."""
    def charsmap_of(units, text=b"X\0"):
        return struct.pack(f"<{len(units) + 1}I", 4 * len(units), *units) + text
    for units in ([], [1 << 10], [0xFFFFFFFF] * 4, [(1 << 31) - 1] * 600, [256 << 10] + [0x161 | 1 << 10] * 600,
                  [1 << 10 | 1 << 9] + [0x161 | 2 << 10] * 600, [256 << 10] + [0x161 | 7 << 10] * 600):
        data = {"model": {"type": "BPE", "vocab": {"a": 0, "X": 1}, "merges": []}, "normalizer": {
            "type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap_of(units)).decode()}}
        (tmp_path / "tokenizer.json").write_text(json.dumps(data))
        code, message, _ = run(tmp_path, ["a", "aa", "\u00e9a"])
        assert code == 0, message


PRE_TOKENIZERS = {
    "Whitespace": pre_tokenizers.Whitespace(), "WhitespaceSplit": pre_tokenizers.WhitespaceSplit(),
    "BertPreTokenizer": pre_tokenizers.BertPreTokenizer(), "CharDelimiterSplit": pre_tokenizers.CharDelimiterSplit("\u00e9"),
    **{b: pre_tokenizers.Punctuation(b) for b in
       ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous")},
    "all": pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"),
                                    pre_tokenizers.Digits(True)]),
}


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_pre_tokenizers(tmp_path, letters, name):
    tokenizer = Tokenizer(letters)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([PRE_TOKENIZERS[name],
                                                       pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)])
    compare(save(tmp_path, tokenizer), tokenizer, texts(every=1 if name in ("Whitespace", "isolated", "all") else 40))


def test_metaspace_first_is_the_first_of_the_text(tmp_path):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Strip(left=False), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer = trained(tokenizer, size=300, alphabet=False, special=["<unk>", "<s>"], limit_alphabet=100)
    compare(save(tmp_path, tokenizer), tokenizer, texts(every=40))


# ---- Unigram


@pytest.fixture(scope="session")
def trained_unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(token_texts.corpus()[:700], trainers.UnigramTrainer(
        vocab_size=2500, special_tokens=["<unk>", "<s>"], unk_token="<unk>", show_progress=False))
    return json.loads(tokenizer.to_str())


def with_model(data, **model):
    return Tokenizer.from_str(json.dumps(data | {"model": data["model"] | model}))


def test_unigram(tmp_path, trained_unigram):
    tokenizer = with_model(trained_unigram)
    compare(save(tmp_path, tokenizer), tokenizer)


@pytest.mark.parametrize("missing", [0, 7])
def test_unigram_with_bytes(tmp_path, trained_unigram, missing):
    """All bytes have tokens, or some have none: then the whole run is unknown."""
    pieces = [[f"<0x{b:02X}>", -20.0] for b in range(256) if not missing or b % missing]
    tokenizer = with_model(trained_unigram, byte_fallback=True, vocab=trained_unigram["model"]["vocab"] + pieces)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()])
    compare(save(tmp_path, tokenizer), tokenizer, token_texts.all_texts()[::3])
    assert bytes_of(tmp_path)[tokenizer.token_to_id("<0x41>")] == b"A"


def test_unigram_whose_scores_are_odd(tmp_path):
    """Positive scores, ties, a token twice, one that only unknown text spells, no space marks, nothing between."""
    vocab = [["<unk>", 3.0], ["a", 0.0], ["b", 0.0], ["ab", 0.0], ["ba", 0.0], ["abab", 1e-300], ["a", 5.0], ["xy", -50.0],
             ["", 1.0], ["\u00e9", -1.5], ["\u00e9\u0301", -1.5], ["bb", -0.0], ["<unk>b", 9.0]]
    for unknown in (0, 5):
        tokenizer = Tokenizer.from_str(json.dumps({
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": None,
            "model": {"type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": False}}))
        words = ["a", "b", "ab", "ba", "x", "y", "xy", "\u00e9", "\u0301", "<unk>", "<unk>b", "abab", " "]
        compare(save(tmp_path, tokenizer), tokenizer, ["".join(w) for w in token_texts.products(words, 3)])


def test_unigram_without_an_unknown_token_names_what_it_lacks(tmp_path):
    data = {"model": {"type": "Unigram", "unk_id": None, "vocab": [["a", 0.0]]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    assert ids_of(tmp_path, ["aaa"]) == [[0, 0, 0]]
    code, message, _ = run(tmp_path, ["a\u6f22"])
    assert code == 3 and "\u6f22" in message


def test_unigram_takes_long_texts(tmp_path, trained_unigram):
    tokenizer = with_model(trained_unigram)
    save(tmp_path, tokenizer)
    for text in ("a", "\u6f22", "the", "\u0378", "=="):
        long = (text * 100000)[:100000]
        code, message, out = run(tmp_path, [long], "time")
        assert code == 0 and float(out.split()[1]) < 0.5, message
    compare(tmp_path, tokenizer, ["the" * 3000])
