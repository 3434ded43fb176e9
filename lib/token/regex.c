/* Compiles a rewritten expression with PCRE2 and matches it. */
#include "token/regex.h"

#include "base/alloc.h"
#include "token/regex_rewrite.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct weir_regex {
    char *file, *shown; /* shown: the pattern's beginning, for messages */
    pcre2_code *code;
    bool jit;
    char *literal; /* [n_literal]: matched byte by byte instead; NULL for a pattern */
    size_t n_literal;
};

struct weir_match {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    uint64_t steps; /* that are left for the text; only those of matches that take many are counted */
};

enum {
    STACK_FIRST = 32 << 10,
    STACK_MOST = 8 << 20,
    STEPS_FIRST = 4096, /* what nearly every match does with, and what is not counted */
    STEPS_MOST = 50000000,
    STEPS_BYTE = 64, /* and so many for each byte of the text */
    STEPS_MATCH = 1 << 30,
    KIB_MOST = 256 << 10,
    SHOWN = 80
};

static void *allocate_for_pcre(size_t size, void *unused)
{
    void *memory;
    (void)unused;
    return weir_alloc(&memory, size, 1) == WEIR_OK ? memory : NULL;
}

static void release_for_pcre(void *memory, void *unused)
{
    (void)unused;
    weir_free(memory);
}

static weir_status no_memory(void)
{
    return weir_fail(WEIR_E_MEMORY, "out of memory for a regular expression");
}

static weir_status compile_pattern(struct weir_regex *regex, const struct weir_text *pattern, const char *shown,
                                   size_t n)
{
    int error = 0;
    PCRE2_SIZE at = 0;
    PCRE2_UCHAR why[128];
    pcre2_general_context *general = pcre2_general_context_create(allocate_for_pcre, release_for_pcre, NULL);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    if (context) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        regex->code = pcre2_compile((PCRE2_SPTR)(pattern->data ? pattern->data : ""), pattern->n,
                                    PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at, context);
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    if (!context || (!regex->code && error == PCRE2_ERROR_HEAP_FAILED))
        return no_memory();
    if (!regex->code) {
        pcre2_get_error_message(error, why, sizeof why);
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: regular expression \"%.*s\": %s", regex->file, (int)(n < 80 ? n : 80),
                         shown, (const char *)why);
    }
    regex->jit = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
    return WEIR_OK;
}

weir_status weir_regex_open(struct weir_regex **out, const char *file, const char *pattern, size_t n)
{
    struct weir_regex *regex = NULL;
    struct weir_text rewritten = {0};
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&regex, 1, sizeof *regex));
    TRY_DONE(weir_copy_string(&regex->file, file));
    TRY_DONE(weir_copy_bytes(&regex->shown, pattern, n < SHOWN ? n : SHOWN));
    TRY_DONE(weir_regex_rewrite(&rewritten, file, pattern, n));
    TRY_DONE(compile_pattern(regex, &rewritten, pattern, n));
    *out = regex;
    regex = NULL;
done:
    weir_text_close(&rewritten);
    weir_regex_close(regex);
    return status;
}

weir_status weir_regex_open_literal(struct weir_regex **out, const char *file, const char *text, size_t n)
{
    struct weir_regex *regex = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&regex, 1, sizeof *regex));
    TRY_DONE(weir_copy_string(&regex->file, file));
    TRY_DONE(weir_copy_bytes(&regex->literal, text, n));
    regex->n_literal = n;
    *out = regex;
    regex = NULL;
done:
    weir_regex_close(regex);
    return status;
}

void weir_regex_close(struct weir_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    weir_free(regex->literal);
    weir_free(regex->shown);
    weir_free(regex->file);
    weir_free(regex);
}

weir_status weir_match_open(struct weir_match **out)
{
    struct weir_match *match;
    *out = NULL;
    TRY(weir_alloc_zero(&match, 1, sizeof *match));
    pcre2_general_context *general = pcre2_general_context_create(allocate_for_pcre, release_for_pcre, NULL);
    if (general) {
        match->data = pcre2_match_data_create(1, general);
        match->context = pcre2_match_context_create(general);
    }
    pcre2_general_context_free(general);
    if (!match->data || !match->context) {
        weir_match_close(match);
        return no_memory();
    }
    weir_match_begin(match, 0);
    pcre2_set_heap_limit(match->context, KIB_MOST);
    *out = match;
    return WEIR_OK;
}

void weir_match_begin(struct weir_match *match, size_t n)
{
    match->steps = STEPS_MOST + STEPS_BYTE * (uint64_t)n;
}

void weir_match_close(struct weir_match *match)
{
    if (!match)
        return;
    pcre2_jit_stack_free(match->stack);
    pcre2_match_context_free(match->context);
    pcre2_match_data_free(match->data);
    weir_free(match);
}

/* Nearly every pattern does with the 32 KiB that PCRE2 takes from the machine's stack; this is for the others. */
static bool more_stack(struct weir_match *match)
{
    if (match->stack)
        return false;
    match->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MOST, NULL);
    if (!match->stack)
        return false;
    pcre2_jit_stack_assign(match->context, NULL, match->stack);
    return true;
}

static int match_by_pcre(const struct weir_regex *regex, struct weir_match *match, const char *text, size_t n,
                         size_t from)
{
    int found = PCRE2_ERROR_JIT_STACKLIMIT;
    if (regex->jit)
        do
            found = pcre2_jit_match(regex->code, (PCRE2_SPTR)text, n, from, 0, match->data, match->context);
        while (found == PCRE2_ERROR_JIT_STACKLIMIT && more_stack(match));
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)
        found = pcre2_match(regex->code, (PCRE2_SPTR)text, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match->data,
                            match->context);
    return found;
}

/* PCRE2 does not say how many steps a match took: matches that end within a few are not counted, for the others
   the limit is doubled until it holds them or the text has no more left. */
static int run_within(const struct weir_regex *regex, struct weir_match *match, const char *text, size_t n, size_t from)
{
    for (uint32_t limit = STEPS_FIRST;; limit *= 2) {
        pcre2_set_match_limit(match->context, limit);
        int found = match_by_pcre(regex, match, text, n, from);
        if (found != PCRE2_ERROR_MATCHLIMIT || limit > match->steps || limit >= STEPS_MATCH)
            return found;
        match->steps -= limit;
    }
}

static weir_status gave_up(const struct weir_regex *regex, size_t from, int result)
{
    PCRE2_UCHAR why[128];
    const char *what = (const char *)why;
    pcre2_get_error_message(result, why, sizeof why);
    if (result == PCRE2_ERROR_MATCHLIMIT)
        what = "it backtracks more than weir allows";
    else if (result == PCRE2_ERROR_HEAPLIMIT || result == PCRE2_ERROR_JIT_STACKLIMIT)
        what = "it needs more memory than weir allows";
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "%s: regular expression \"%s\": gave up at byte %zu of a piece of the text: %s", regex->file,
                     regex->shown, from, what);
}

/* An empty one matches everywhere. */
static void find_literal(const struct weir_regex *regex, const char *text, size_t n, size_t from, bool *found,
                         size_t *start, size_t *end)
{
    const char *p =
        regex->n_literal == 0 ? text + from : memmem(text + from, n - from, regex->literal, regex->n_literal);
    *found = p != NULL;
    if (!p)
        return;
    *start = (size_t)(p - text);
    *end = *start + regex->n_literal;
}

weir_status weir_regex_find(const struct weir_regex *regex, struct weir_match *match, const char *text, size_t n,
                            size_t from, bool *found, size_t *start, size_t *end)
{
    *found = false;
    if (regex->literal) {
        find_literal(regex, text, n, from, found, start, end);
        return WEIR_OK;
    }
    int result = run_within(regex, match, text, n, from);
    if (result == PCRE2_ERROR_NOMATCH)
        return WEIR_OK;
    if (result == PCRE2_ERROR_NOMEMORY)
        return no_memory();
    if (result < 0)
        return gave_up(regex, from, result);
    *start = pcre2_get_ovector_pointer(match->data)[0];
    *end = pcre2_get_ovector_pointer(match->data)[1];
    *found = true;
    return WEIR_OK;
}

weir_status weir_regex_next(struct weir_matches *matches, const struct weir_regex *regex, struct weir_match *match,
                            const char *text, size_t n)
{
    size_t last = matches->end, from = last, start = 0, end = 0, length;
    for (;;) {
        TRY(weir_regex_find(regex, match, text, n, from, &matches->found, &start, &end));
        if (!matches->found)
            return WEIR_OK;
        if (start != end || !matches->any || end != last)
            break;
        matches->found = from < n;
        if (!matches->found)
            return WEIR_OK;
        weir_utf8_decode(text + from, &length);
        from += length;
    }
    matches->start = start;
    matches->end = end;
    matches->any = true;
    return WEIR_OK;
}
