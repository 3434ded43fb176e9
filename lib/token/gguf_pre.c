/* The table of tokenizer.ggml.pre: names, and the stages that each means. */
#include "token/gguf_pre.h"

#include <string.h>

#define BYTE_LEVEL       "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define BYTES_ONLY       "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SEQUENCE(stages) "{\"type\":\"Sequence\",\"pretokenizers\":[" stages "]}"
#define SPLIT(regex)                                                                                                   \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\",\"invert\":false}"
#define DIGITS(individual) "{\"type\":\"Digits\",\"individual_digits\":" individual "}"
#define DIGITS_THEN_BYTES  SEQUENCE(DIGITS("true") "," BYTE_LEVEL)
/* the regular expression of Llama 3, Qwen 2 and others; they differ in how many digits go together */
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS(digits)                                                                                                  \
    CONTRACTIONS "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" digits                                                    \
                 "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define WORDS_THEN_BYTES(digits) SEQUENCE(SPLIT(WORDS(digits)) "," BYTES_ONLY)
#define THREE_DIGITS             WORDS_THEN_BYTES("\\\\p{N}{1,3}")
#define ONE_DIGIT                WORDS_THEN_BYTES("\\\\p{N}")
#define UPPER                    "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER                    "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define GPT4O                                                                                                          \
    SEQUENCE(SPLIT("[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "*" LOWER "+" CONTRACTIONS                                   \
                   "?|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "+" LOWER "*" CONTRACTIONS                                 \
                   "?|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|"                                        \
                   "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+") "," BYTES_ONLY)
#define TEKKEN                                                                                                         \
    SEQUENCE(SPLIT(                                                                                                    \
        "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "*" LOWER "+|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "+" LOWER "*"        \
        "|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+") "," BYTES_ONLY)
#define ONE_DIGIT_WITH_MARKS                                                                                           \
    SEQUENCE(SPLIT(CONTRACTIONS "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{L}\\\\p{M}]+|\\\\p{N}"                          \
                                "| "                                                                                   \
                                "?[^\\\\s\\\\p{L}\\\\p{M}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|" \
                                "\\\\s+") "," BYTES_ONLY)
#define FALCON                                                                                                         \
    SEQUENCE("{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}," BYTE_LEVEL                                      \
             "," DIGITS("false") "," SPLIT("[0-9][0-9][0-9]"))
/* the last six characters but the bracket are U+2026, U+3002, U+FF0C, U+3001, U+0964, U+06D4 and U+060C */
#define BLOOM                                                                                                          \
    SEQUENCE(SPLIT(                                                                                                    \
        " ?[^(\\\\s|.,!?\xe2\x80\xa6\xe3\x80\x82\xef\xbc\x8c\xe3\x80\x81\xe0\xa5\xa4\xdb\x94\xd8\x8c)]+") "," BYTES_ONLY)
#define NFC "{\"type\":\"NFC\"}"

static const struct weir_gguf_pre all[] = {
    {"default", NULL, BYTE_LEVEL, false, false},
    {"gpt-2", NULL, BYTE_LEVEL, false, false},
    {"phi-2", NULL, BYTE_LEVEL, false, false},
    {"jais", NULL, BYTE_LEVEL, false, false},
    {"roberta-bpe", NULL, BYTE_LEVEL, false, false},
    {"granite-docling", NULL, BYTE_LEVEL, false, false},
    {"mpt", NFC, BYTE_LEVEL, false, false},
    {"olmo", NFC, BYTE_LEVEL, false, false},
    {"smollm", NULL, DIGITS_THEN_BYTES, false, false},
    {"starcoder", NULL, DIGITS_THEN_BYTES, false, false},
    {"refact", NULL, DIGITS_THEN_BYTES, false, false},
    {"codeshell", NULL, DIGITS_THEN_BYTES, false, false},
    {"command-r", NFC, DIGITS_THEN_BYTES, false, false},
    {"exaone", NFC, DIGITS_THEN_BYTES, false, false},
    {"llama-bpe", NULL, THREE_DIGITS, true, true},
    {"llama3", NULL, THREE_DIGITS, true, true},
    {"llama-v3", NULL, THREE_DIGITS, true, true},
    {"smaug-bpe", NULL, THREE_DIGITS, false, false},
    {"dbrx", NULL, THREE_DIGITS, false, false},
    {"qwen2", NFC, ONE_DIGIT, false, false},
    {"deepseek-r1-qwen", NFC, ONE_DIGIT, false, false},
    {"stablelm2", NULL, ONE_DIGIT, false, false},
    {"gpt-4o", NULL, GPT4O, false, false},
    {"llama4", NULL, GPT4O, true, false},
    {"falcon", NULL, FALCON, false, false},
    {"bloom", NULL, BLOOM, false, false},
    {"gpt3-finnish", NULL, BLOOM, false, false},
    {"poro-chat", NULL, BLOOM, false, false},
    {"tekken", NULL, TEKKEN, true, true},
    {"falcon3", NULL, THREE_DIGITS, true, true},
    {"falcon-h1", NULL, THREE_DIGITS, true, true},
    {"pixtral", NULL, THREE_DIGITS, true, true},
    {"lfm2", NULL, THREE_DIGITS, true, true},
    {"midm-2.0", NULL, THREE_DIGITS, true, true},
    {"glm4", NULL, THREE_DIGITS, false, false},
    {"chatglm-bpe", NULL, THREE_DIGITS, false, false},
    {"qwen35", NFC, ONE_DIGIT_WITH_MARKS, false, false},
    {"megrez", NFC, ONE_DIGIT, false, false},
    {"minerva-7b", NULL, DIGITS_THEN_BYTES, false, false},
    {"exaone4", NULL, BYTE_LEVEL, false, false},
    {"trillion", NULL, BYTE_LEVEL, false, false},
    {"mellum", NULL, BYTE_LEVEL, false, false},
    {"minimax-m2", NULL, GPT4O, false, false},
    {"kanana2", NULL, GPT4O, false, false},
};

const struct weir_gguf_pre *weir_gguf_pre_find(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    return NULL;
}
