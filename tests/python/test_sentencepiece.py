"""tokenizer.model: models trained here, against what transformers' converters make of them."""
import io
import json
import struct
import sys
import types

import pytest
import sentencepiece
import transformers.convert_slow_tokenizer

import token_texts
from token_reference import bytes_of, compare, ids_of, run

convert = sys.modules["transformers.convert_slow_tokenizer"]  # its package has a function of that name
USER = ["\u2581\u2581", "\u2581\u2581\u2581", "<table>", "\n", "\n\n"]
LLAMA = dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False)
GEMMA = LLAMA | dict(add_dummy_prefix=False, user_defined_symbols=USER, split_digits=True, allow_whitespace_only_pieces=True,
                     control_symbols=["<mask>"])
T5 = dict(model_type="unigram", normalization_rule_name="nmt_nfkc")


def train(folder, **options):
    model = io.BytesIO()
    sentences = [line for text in token_texts.corpus()[:900] for line in text.split("\n") if "\0" not in line]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, minloglevel=2, hard_vocab_limit=False, num_threads=2,
        **dict(vocab_size=1800, character_coverage=0.98) | options)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    return folder


def extractor(file):
    """The merges as the converters ask for them."""
    def extract(scores):
        scores = dict(scores)
        return None, convert.generate_merges({t: i for i, t in enumerate(scores)}, scores)
    return types.SimpleNamespace(extract=extract)


def converted(folder, converter, **options):
    """What transformers makes of the file, with its unknown token as an added one, as its tokenizers have it."""
    class Converter(converter):
        SpmExtractor = staticmethod(extractor)
        handle_byte_fallback = True
    ids = {0: "<unk>", 1: "<s>", 2: "</s>"}
    original = types.SimpleNamespace(vocab_file=str(folder / "tokenizer.model"), convert_ids_to_tokens=ids.get,
                                     **options)
    tokenizer = Converter(original).converted()
    tokenizer.add_special_tokens(["<unk>"])
    return tokenizer


def configure(folder, **values):
    (folder / "tokenizer_config.json").write_text(json.dumps(values))


@pytest.mark.parametrize("legacy", [True, False])
def test_llama(tmp_path, legacy):
    train(tmp_path, **LLAMA)
    configure(tmp_path, legacy=legacy)
    reference = converted(tmp_path, convert.LlamaConverter, legacy=legacy, add_prefix_space=True)
    compare(tmp_path, reference, token_texts.all_texts()[::1 if legacy else 4])
    assert ids_of(tmp_path, ["x"], "auto")[0][0] == 1
    configure(tmp_path, legacy=legacy, add_bos_token=False, add_eos_token=True)
    ids = ids_of(tmp_path, ["x"], "auto")[0]
    assert ids[0] != 1 and ids[-1] == 2


def test_gemma(tmp_path):
    train(tmp_path, **GEMMA)

    class Converter(convert.GemmaConverter):
        vocab = convert.SpmConverter.vocab  # Gemma's own ids, which it puts in place, are not those of this model
        unk_id = convert.SpmConverter.unk_id
    compare(tmp_path, converted(tmp_path, Converter))


@pytest.mark.parametrize("options", [
    T5, T5 | dict(byte_fallback=True), T5 | dict(user_defined_symbols=USER[2:], control_symbols=["<mask>"]),
    T5 | dict(normalization_rule_name="nmt_nfkc_cf", model_type="bpe"), T5 | dict(add_dummy_prefix=False),
], ids=["plain", "bytes", "symbols", "bpe", "no prefix"])
def test_squeezed_spaces(tmp_path, options):
    train(tmp_path, **options)
    reference = converted(tmp_path, convert.SpmConverter, add_prefix_space=options.get("add_dummy_prefix", True))
    compare(tmp_path, reference, token_texts.all_texts()[::3])


def test_decodes(tmp_path):
    """A text is the bytes of its tokens: with the space that was put in front of it, where the model does that."""
    texts = [t for t in token_texts.all_texts()[::7] if "<" not in t and "\u2581" not in t]
    for front, options in ((b" ", LLAMA), (b"", GEMMA)):
        train(tmp_path, **options)
        tokens = bytes_of(tmp_path)
        for text, ids in zip(texts, ids_of(tmp_path, texts)):
            assert b"".join(tokens[i] for i in ids) == (front + text.encode() if text else b"")


def test_added_tokens_decoder(tmp_path):
    train(tmp_path, **LLAMA)
    size = len(bytes_of(tmp_path))
    added = {"0": {"content": "<unk>", "special": True}, str(size): {"content": "<|user|>", "special": True, "rstrip": True},
             str(size + 1): {"content": "<|end|>", "special": True, "lstrip": False, "normalized": False}}
    configure(tmp_path, added_tokens_decoder=added, bos_token={"content": "<s>"}, add_bos_token=True)
    assert ids_of(tmp_path, ["<|user|>  <|end|>"], "auto") == [[1, size, size + 1]]
    assert bytes_of(tmp_path)[size:] == [b"<|user|>", b"<|end|>"]
    for wrong, words in (({"x": {"content": "a"}}, '"x"'), ({"9e9": {"content": "new"}}, "9e9"), ([], "object"),
                         ({"1": 2}, "object"), ({"1": {}}, "content"), ({"-1": {"content": "new"}}, "-1")):
        configure(tmp_path, added_tokens_decoder=wrong)
        code, message, _ = run(tmp_path, ["a"])
        assert code == 3 and words.replace("9e9", "9000000000") in message and "tokenizer_config.json" in message


def piece(text, score=0.0, kind=None):
    body = b"\x0a" + bytes([len(text)]) + text + b"\x15" + struct.pack("<f", score)
    return field(1, body + (bytes([0x18, kind]) if kind else b""))


def field(number, body):
    return bytes([number << 3 | 2, len(body)]) + body


SOME = piece(b"<unk>", 0, 2) + piece(b"a", -1) + piece(b"b", -2)
DAMAGED = {
    "empty": (b"", 3, "no pieces"), "text": (b"IQ== 0\n", 3, "tokenizer.model"), "no end": (SOME[:-1], 3, "byte"),
    "long number": (b"\x08" + b"\xff" * 11, 3, "64 bits"), "long field": (b"\x0a\xff\xff\xff\xff\x0f", 3, "byte"),
    "group": (b"\x0b", 3, "SentencePiece"), "no UTF-8": (SOME + piece(b"\xff"), 3, "piece 3"),
    "no number": (SOME + piece(b"c", float("nan")), 3, "piece 3"), "word": (SOME + field(2, b"\x18\x03"), 4, "WORD"),
    "char": (SOME + field(2, b"\x18\x04"), 4, "CHAR"), "kind": (SOME + field(2, b"\x18\x63"), 3, "99"),
    "suffix": (SOME + field(2, b"\xc0\x01\x01"), 4, "treat_whitespace_as_suffix"),
    "escape": (SOME + field(3, b"\x28\x00"), 4, "escape_whitespaces"), "map": (SOME + field(3, b"\x12\x01a"), 3, "charsmap"),
    "map's size": (SOME + field(3, b"\x12\x05\xff\xff\xff\xffa"), 3, "charsmap"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_files_are_refused(tmp_path, damage):
    data, code, words = DAMAGED[damage]
    (tmp_path / "tokenizer.model").write_bytes(data)
    got, message, _ = run(tmp_path, ["ab"])
    assert (got, message.count("\n")) == (code, 1) and words in message and "tokenizer.model" in message


def test_every_truncation_is_refused_or_read(tmp_path):
    data = SOME + field(3, b"\x20\x00") + field(2, b"\x18\x02\xc0\x02\x00")
    for n in range(len(data)):
        (tmp_path / "tokenizer.model").write_bytes(data[:n])
        code, message, _ = run(tmp_path, ["ab"])
        assert code in (0, 3) and message.count("\n") == (code != 0)
