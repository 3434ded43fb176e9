/* tokenizer.model: SentencePiece's ModelProto, a protocol buffer (sentencepiece_model.proto), read into the stages that
   transformers converts it to. */
#include "token/pipeline.h"
#include "token/scored.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <math.h>
#include <string.h>

enum { PIECE_NORMAL = 1, PIECE_UNKNOWN, PIECE_CONTROL, PIECE_USER, PIECE_UNUSED, PIECE_BYTE };
enum { TYPE_UNIGRAM = 1, TYPE_BPE, TYPE_WORD, TYPE_CHAR };

/* The fields of the file, with their defaults. */
struct spec {
    const char *file;
    int64_t model_type, unknown, bos, eos;
    bool byte_fallback, space_behind;   /* trainer_spec; space_behind: U+2581 ends words */
    bool dummy_prefix, squeeze, escape; /* normalizer_spec */
    const uint8_t *charsmap;            /* [n_charsmap] in the file */
    size_t n_charsmap;
    double *scores; /* [n_pieces] */
    size_t n_pieces, capacity_scores;
};

/* ---- protocol buffers ------------------------------------------------------------------------------------------ */

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct field {
    uint64_t number;
    int wire;
    uint64_t value; /* of a number */
    const uint8_t *data;
    uint64_t n;
};

static weir_status read_varint(struct weir_bytes *b, uint64_t *out)
{
    uint8_t byte = 0x80;
    *out = 0;
    for (int shift = 0; byte & 0x80; shift += 7) {
        if (shift > 63)
            return weir_fail(WEIR_E_INPUT, "%s: byte %zu: a number of more than 64 bits", b->file, b->at);
        TRY(weir_bytes_u8(b, &byte, "a number"));
        *out |= (uint64_t)(byte & 0x7f) << shift;
    }
    return WEIR_OK;
}

static weir_status read_field(struct weir_bytes *b, struct field *f)
{
    uint64_t key;
    uint32_t word;
    TRY(read_varint(b, &key));
    *f = (struct field){.number = key >> 3, .wire = (int)(key & 7)};
    switch (f->wire) {
    case WIRE_VARINT:
        return read_varint(b, &f->value);
    case WIRE_64:
        return weir_bytes_u64(b, &f->value, "a field");
    case WIRE_32:
        TRY(weir_bytes_u32(b, &word, "a field"));
        f->value = word;
        return WEIR_OK;
    case WIRE_BYTES:
        TRY(read_varint(b, &f->n));
        return weir_bytes_take(b, &f->data, f->n, "a field");
    default:
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: not a SentencePiece model", b->file, b->at);
    }
}

/* A message inside another, to be read field by field. */
static struct weir_bytes message_inside(const struct weir_bytes *b, const struct field *f)
{
    return (struct weir_bytes){.file = b->file, .data = f->data, .size = f->n};
}

/* ---- the messages ---------------------------------------------------------------------------------------------- */

static weir_status read_trainer(struct spec *spec, struct weir_bytes b)
{
    struct field f;
    while (b.at < b.size) {
        TRY(read_field(&b, &f));
        if (f.wire != WIRE_VARINT)
            continue;
        switch (f.number) {
        case 3:
            spec->model_type = (int64_t)f.value;
            break;
        case 24:
            spec->space_behind = f.value != 0;
            break;
        case 35:
            spec->byte_fallback = f.value != 0;
            break;
        case 40:
            spec->unknown = (int64_t)f.value;
            break;
        case 41:
            spec->bos = (int64_t)f.value;
            break;
        case 42:
            spec->eos = (int64_t)f.value;
            break;
        default:
            break;
        }
    }
    return WEIR_OK;
}

static weir_status read_normalizer(struct spec *spec, struct weir_bytes b)
{
    struct field f;
    while (b.at < b.size) {
        TRY(read_field(&b, &f));
        if (f.number == 2 && f.wire == WIRE_BYTES) {
            spec->charsmap = f.data;
            spec->n_charsmap = f.n;
        } else if (f.number == 3 && f.wire == WIRE_VARINT) {
            spec->dummy_prefix = f.value != 0;
        } else if (f.number == 4 && f.wire == WIRE_VARINT) {
            spec->squeeze = f.value != 0;
        } else if (f.number == 5 && f.wire == WIRE_VARINT) {
            spec->escape = f.value != 0;
        }
    }
    return WEIR_OK;
}

/* To weir_bpe_open_scored: user-defined pieces come before all others; controls and bytes are joined from nothing. */
static double merge_score(double score, uint64_t type)
{
    return type == PIECE_NORMAL ? score : type == PIECE_USER ? (double)INFINITY : (double)NAN;
}

/* Controls, user-defined tokens and the unknown one are recognised in text, in that they are written out. */
static weir_status add_piece(struct weir_tokenizer *t, struct spec *spec, const struct field *text, double score,
                             uint64_t type)
{
    int32_t id = (int32_t)spec->n_pieces;
    size_t bad;
    if (!weir_utf8_valid((const char *)text->data, text->n, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: piece %d is not UTF-8", spec->file, id);
    if (isnan(score))
        return weir_fail(WEIR_E_INPUT, "%s: the score of piece %d is not a number", spec->file, id);
    if (spec->n_pieces == INT32_MAX - 1)
        return weir_fail(WEIR_E_INPUT, "%s: there are too many pieces", spec->file);
    if (spec->n_pieces == spec->capacity_scores)
        TRY(weir_grow(&spec->scores, &spec->capacity_scores, spec->n_pieces + 1, sizeof *spec->scores));
    spec->scores[spec->n_pieces++] = spec->model_type == TYPE_BPE ? merge_score(score, type) : score;
    TRY(weir_in(weir_vocab_add(&t->vocab, id, (const char *)text->data, text->n, true), spec->file));
    if (text->n == 0 || (type != PIECE_CONTROL && type != PIECE_USER && type != PIECE_UNKNOWN))
        return WEIR_OK;
    return weir_added_add_text(&t->added, (const char *)text->data, text->n, id, type != PIECE_USER);
}

static weir_status read_piece(struct weir_tokenizer *t, struct spec *spec, struct weir_bytes b)
{
    struct field f, text = {0};
    uint64_t type = PIECE_NORMAL;
    float score = 0;
    while (b.at < b.size) {
        TRY(read_field(&b, &f));
        if (f.number == 1 && f.wire == WIRE_BYTES) {
            text = f;
        } else if (f.number == 2 && f.wire == WIRE_32) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(&score, &bits, sizeof score);
        } else if (f.number == 3 && f.wire == WIRE_VARINT) {
            type = f.value;
        }
    }
    return add_piece(t, spec, &text, (double)score, type);
}

/* Reads the trainer and the normalizer first, though they follow the pieces: the meaning of a piece depends on them. */
static weir_status read_specs(struct spec *spec, struct weir_bytes b)
{
    struct field f;
    while (b.at < b.size) {
        TRY(read_field(&b, &f));
        if (f.number == 2 && f.wire == WIRE_BYTES)
            TRY(read_trainer(spec, message_inside(&b, &f)));
        else if (f.number == 3 && f.wire == WIRE_BYTES)
            TRY(read_normalizer(spec, message_inside(&b, &f)));
    }
    return WEIR_OK;
}

static weir_status read_pieces(struct weir_tokenizer *t, struct spec *spec, struct weir_bytes b)
{
    struct field f;
    TRY(weir_vocab_open(&t->vocab, 0));
    while (b.at < b.size) {
        TRY(read_field(&b, &f));
        if (f.number == 1 && f.wire == WIRE_BYTES)
            TRY(read_piece(t, spec, message_inside(&b, &f)));
    }
    return spec->n_pieces > 0 ? WEIR_OK : weir_fail(WEIR_E_INPUT, "%s: no pieces: not a SentencePiece model", b.file);
}

/* ---- the tokenizer --------------------------------------------------------------------------------------------- */

#define METASPACE(scheme, split)                                                                                       \
    "{\"type\":\"Metaspace\",\"replacement\":\"" WEIR_SPACE_MARK "\",\"prepend_scheme\":\"" scheme                     \
    "\",\"split\":" split "}"
#define SQUEEZE                                                                                                        \
    "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},"          \
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"" WEIR_SPACE_MARK "\"}]}"

static weir_status make_stages(struct weir_tokenizer *t, const struct spec *spec, bool legacy)
{
    if (!spec->escape || spec->space_behind)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: %s is not supported", spec->file,
                         spec->escape ? "treat_whitespace_as_suffix" : "escape_whitespaces being false");
    if (spec->n_charsmap > 0)
        TRY(weir_normalizers_add_charsmap(&t->normalizers, spec->file, spec->charsmap, spec->n_charsmap));
    if (spec->squeeze)
        return weir_read_stages(t, spec->file, SQUEEZE,
                                spec->dummy_prefix ? METASPACE("always", "true") : METASPACE("never", "true"));
    if (spec->dummy_prefix && !legacy)
        return weir_read_stages(t, spec->file, NULL, METASPACE("first", "false"));
    return weir_read_stages(t, spec->file, spec->dummy_prefix ? WEIR_MARKS_WITH_PREFIX : WEIR_MARKS, NULL);
}

/* An id that the trainer says: -1 when it says that there is none, or one that is not there. */
static int32_t known_id(const struct spec *spec, int64_t id)
{
    return id >= 0 && id < (int64_t)spec->n_pieces ? (int32_t)id : -1;
}

static weir_status make_model(struct weir_tokenizer *t, struct spec *spec)
{
    if (spec->model_type == TYPE_UNIGRAM) {
        t->model = WEIR_MODEL_UNIGRAM;
        t->unigram.scores = spec->scores;
        spec->scores = NULL;
        t->unigram.unknown = known_id(spec, spec->unknown);
        t->unigram.byte_fallback = spec->byte_fallback;
        return WEIR_OK;
    }
    TRY(weir_bpe_open_scored(&t->bpe, &t->vocab, spec->scores));
    t->bpe.unknown = known_id(spec, spec->unknown);
    t->bpe.byte_fallback = spec->byte_fallback;
    t->bpe.fuse_unknown = true;
    return t->bos >= 0 ? weir_ids_add(&t->front, t->bos) : WEIR_OK;
}

static weir_status check_type(const struct spec *spec)
{
    if (spec->model_type == TYPE_UNIGRAM || spec->model_type == TYPE_BPE)
        return WEIR_OK;
    if (spec->model_type == TYPE_WORD || spec->model_type == TYPE_CHAR)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: a SentencePiece model of type %s is not supported", spec->file,
                         spec->model_type == TYPE_WORD ? "WORD" : "CHAR");
    return weir_fail(WEIR_E_INPUT, "%s: model_type %lld is not one of SentencePiece's", spec->file,
                     (long long)spec->model_type);
}

static weir_status read_model_proto(struct weir_tokenizer *t, struct spec *spec, struct weir_bytes b,
                                    const cJSON *config)
{
    bool legacy = true;
    TRY(weir_json_bool(config, "tokenizer_config.json", "legacy", &legacy));
    TRY(read_specs(spec, b));
    TRY(check_type(spec));
    TRY(read_pieces(t, spec, b));
    t->bos = known_id(spec, spec->bos);
    t->eos = known_id(spec, spec->eos);
    t->spelling = WEIR_SPELLING_SPACES;
    TRY(make_stages(t, spec, legacy));
    TRY(make_model(t, spec));
    TRY(weir_read_added_decoder(t, config, "tokenizer_config.json"));
    return weir_in(weir_tokenizer_finish(t), spec->file);
}

weir_status weir_tokenizer_from_sentencepiece(struct weir_tokenizer **out, const void *bytes, size_t n,
                                              const char *file, const cJSON *config)
{
    struct spec spec = {.file = file,
                        .model_type = TYPE_UNIGRAM,
                        .bos = 1,
                        .eos = 2,
                        .dummy_prefix = true,
                        .squeeze = true,
                        .escape = true};
    struct weir_tokenizer *t = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_tokenizer_new(&t));
    TRY_DONE(read_model_proto(t, &spec, (struct weir_bytes){.file = file, .data = bytes, .size = n}, config));
    *out = t;
    t = NULL;
done:
    weir_free(spec.scores);
    weir_tokenizer_close(t);
    return status;
}
