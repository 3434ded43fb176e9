/* How long a tokenizer takes: bench_tokens FOLDER REPEATS open|text|lines
   Opens the tokenizer of FOLDER, or encodes FOLDER/text.txt with it, whole or line by line, on one thread; prints the
   seconds of each time as a JSON list. Linked with the static library: the public one opens no tokenizer alone. */
#include "base/alloc.h"
#include "base/map.h"
#include "token/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static weir_status encode(const struct weir_tokenizer *tokenizer, const char *text, size_t n)
{
    int32_t *ids;
    size_t n_ids;
    TRY(weir_tokenizer_encode(tokenizer, text, n, WEIR_BOS_NO, &ids, &n_ids));
    weir_free(ids);
    return WEIR_OK;
}

static weir_status encode_lines(const struct weir_tokenizer *tokenizer, const char *text, size_t n)
{
    for (const char *end = text + n, *next; text < end; text = next) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        next = newline ? newline + 1 : end;
        TRY(encode(tokenizer, text, (size_t)((newline ? newline : end) - text)));
    }
    return WEIR_OK;
}

/* One time of what is measured; `tokenizer` is open. */
static weir_status once(const char *what, const char *folder, const struct weir_tokenizer *tokenizer,
                        const struct weir_map *text)
{
    struct weir_tokenizer *other;
    if (strcmp(what, "text") == 0)
        return encode(tokenizer, (const char *)text->data, text->size);
    if (strcmp(what, "lines") == 0)
        return encode_lines(tokenizer, (const char *)text->data, text->size);
    TRY(weir_tokenizer_from_folder(&other, folder));
    weir_tokenizer_close(other);
    return WEIR_OK;
}

static weir_status measure(const char *folder, long repeats, const char *what)
{
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_map *text = NULL;
    char *path = NULL;
    weir_status status;
    TRY_DONE(weir_format(&path, "%s/text.txt", folder));
    TRY_DONE(weir_map_open(&text, path));
    TRY_DONE(weir_tokenizer_from_folder(&tokenizer, folder));
    for (long i = 0; i < repeats; i++) {
        double start = seconds();
        TRY_DONE(once(what, folder, tokenizer, text));
        printf("%s%.6f", i ? ", " : "[", seconds() - start);
    }
    puts("]");
done:
    weir_tokenizer_close(tokenizer);
    weir_map_close(text);
    weir_free(path);
    return status;
}

int main(int n, char **arg)
{
    if (n != 4) {
        fprintf(stderr, "usage: bench_tokens FOLDER REPEATS open|text|lines\n");
        return 2;
    }
    if (measure(arg[1], strtol(arg[2], NULL, 10), arg[3]) == WEIR_OK)
        return 0;
    fprintf(stderr, "bench_tokens: %s\n", weir_message());
    return 1;
}
