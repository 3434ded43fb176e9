/* For test_tokenizer.py: token_cli MODEL [auto|yes|no]. MODEL is a folder or a GGUF file. Reads texts from stdin (u32
   length, bytes) and writes u32 number of ids, int32 ids for each; all little-endian. With "time" as the second
   argument, writes the seconds that opening and encoding took instead. With "bytes": the bytes of every token. */
#include "base/alloc.h"
#include "token/tokenizer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static weir_status open_any(struct weir_tokenizer **out, const char *path, double *seconds)
{
    struct weir_gguf *gguf = NULL;
    size_t n = strlen(path);
    double start = now();
    weir_status status;
    if (n > 5 && strcmp(path + n - 5, ".gguf") == 0) {
        TRY(weir_gguf_open(&gguf, path));
        start = now();
        status = weir_tokenizer_from_gguf(out, gguf);
    } else {
        status = weir_tokenizer_from_folder(out, path);
    }
    *seconds = now() - start;
    weir_gguf_close(gguf);
    return status;
}

/* @return whether there was one more text. */
static bool read_text(char **text, uint32_t *n)
{
    if (fread(n, sizeof *n, 1, stdin) != 1)
        return false;
    if (weir_alloc(text, *n, 1) != WEIR_OK)
        return false;
    return fread(*text, 1, *n, stdin) == *n;
}

static weir_status encode_all(const struct weir_tokenizer *tokenizer, enum weir_bos bos, bool print, double *seconds)
{
    char *text;
    uint32_t n;
    while (read_text(&text, &n)) {
        int32_t *ids;
        size_t n_ids;
        double start = now();
        weir_status status = weir_tokenizer_encode(tokenizer, text, n, bos, &ids, &n_ids);
        *seconds += now() - start;
        weir_free(text);
        TRY(status);
        uint32_t count = (uint32_t)n_ids;
        if (print) {
            fwrite(&count, sizeof count, 1, stdout);
            fwrite(ids, sizeof *ids, n_ids, stdout);
        }
        weir_free(ids);
    }
    return WEIR_OK;
}

static void print_bytes(const struct weir_tokenizer *tokenizer)
{
    for (size_t id = 0; id < weir_tokenizer_size(tokenizer); id++) {
        size_t n;
        const char *bytes = weir_tokenizer_bytes(tokenizer, (int32_t)id, &n);
        uint32_t length = bytes ? (uint32_t)n : UINT32_MAX;
        fwrite(&length, sizeof length, 1, stdout);
        fwrite(bytes ? bytes : "", 1, n, stdout);
    }
}

int main(int argc, char **argv)
{
    struct weir_tokenizer *tokenizer = NULL;
    const char *mode = argc > 2 ? argv[2] : "auto";
    double opened = 0, encoded = 0;
    if (argc < 2)
        return 2;
    weir_status status = open_any(&tokenizer, argv[1], &opened);
    if (status == WEIR_OK && !tokenizer)
        status = weir_fail(WEIR_E_INPUT, "%s: no tokenizer there", argv[1]);
    bool timed = strcmp(mode, "time") == 0;
    enum weir_bos bos = strcmp(mode, "yes") == 0 ? WEIR_BOS_YES : strcmp(mode, "no") == 0 ? WEIR_BOS_NO : WEIR_BOS_AUTO;
    if (status == WEIR_OK && strcmp(mode, "bytes") == 0)
        print_bytes(tokenizer);
    else if (status == WEIR_OK)
        status = encode_all(tokenizer, bos, !timed, &encoded);
    if (status == WEIR_OK && timed)
        printf("%.6f %.6f\n", opened, encoded);
    if (status != WEIR_OK)
        fprintf(stderr, "%s\n", weir_message());
    weir_tokenizer_close(tokenizer);
    return (int)status;
}
