#include "cli/page_parts.h"

#include "base/alloc.h"
#include "cli/commands.h"
#include "store/partial.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

weir_status page_prompt(weir_file_prompt *out, const struct page *page, size_t i)
{
    return weir_file_get_prompt(page->file, (int)page->prompts.list[i], out);
}

/* ---- choosing ---- */

/* What the slices name (all without) of the n things of which `stored` says which there are (NULL: all). */
static weir_status choose(struct picked *out, const char *slices, const bool *stored, size_t n, const char *what)
{
    struct weir_slices parsed = {0};
    bool *marked = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&marked, n, sizeof *marked));
    TRY_DONE(weir_alloc(&out->list, n, sizeof *out->list));
    if (slices)
        TRY_DONE(weir_slices_parse(&parsed, slices, strlen(slices), what));
    TRY_DONE(weir_slices_mark(&parsed, marked, n, what));
    out->n = 0;
    for (size_t i = 0; i < n; i++)
        if (marked[i] && (!stored || stored[i]))
            out->list[out->n++] = i;
    if (slices && out->n == 0)
        status = weir_fail(WEIR_E_USAGE, "--%s %s: nothing of that is stored (weir ls shows what is)", what, slices);
done:
    weir_slices_close(&parsed);
    weir_free(marked);
    return status;
}

/* Marks the heads that any of the chosen layers has. */
static void mark_heads(bool *stored, size_t n, const struct page *page)
{
    for (size_t head = 0; head < n; head++)
        for (size_t i = 0; i < page->layers.n && !stored[head]; i++)
            stored[head] = weir_file_has_unit(page->pattern, (int)page->layers.list[i], head);
}

static weir_status choose_heads(struct page *page, const char *slices)
{
    size_t n = page->pattern->shape[0];
    bool *stored;
    TRY(weir_alloc_zero(&stored, n, sizeof *stored));
    mark_heads(stored, n, page);
    weir_status status = choose(&page->heads, slices, stored, n, "head");
    weir_free(stored);
    return status;
}

static weir_status choose_patterns(struct page *page, const struct page_choice *choice)
{
    const weir_file_info *info = weir_file_get_info(page->file);
    page->pattern = weir_file_find(page->file, "pattern");
    if (!page->pattern)
        return choice->heads ? weir_fail(WEIR_E_INPUT, "the file has no attention patterns; dump with --hooks pattern")
                             : WEIR_OK;
    TRY(choose(&page->layers, choice->layers, page->pattern->layers, (size_t)info->n_layers, "layer"));
    return choose_heads(page, choice->heads);
}

static weir_status count_rows(struct page *page)
{
    for (size_t i = 0; i < page->prompts.n; i++) {
        weir_file_prompt prompt;
        TRY(page_prompt(&prompt, page, i));
        page->n_rows += prompt.n_rows;
    }
    return WEIR_OK;
}

/* All but the units, for which values are read. */
static weir_status choose_parts(struct page *page, const struct page_choice *choice)
{
    const weir_file_info *info = weir_file_get_info(page->file);
    TRY(choose(&page->prompts, choice->prompts, NULL, (size_t)info->n_prompts, "prompt"));
    TRY(count_rows(page));
    TRY(choose_patterns(page, choice));
    TRY(choose(&page->chosen, choice->layers, NULL, (size_t)info->n_layers, "layer"));
    return page_choose_norms(page);
}

static weir_status check_anything(const struct page *page)
{
    if (page->pattern || page->n_norms || page->n_units)
        return WEIR_OK;
    return weir_fail(WEIR_E_INPUT,
                     "the file has nothing that a page shows; dump with --hooks pattern,mlp_post,resid_post");
}

static void page_close(struct page *page)
{
    weir_free(page->layers.list);
    weir_free(page->heads.list);
    weir_free(page->prompts.list);
    weir_free(page->chosen.list);
    weir_free(page->units);
    weir_free(page->norms);
    weir_selection_close(page->selection);
}

/* ---- how large ---- */

enum { BLOCKS = 4 * 64 }; /* the tags around the four blocks of data, at most */

/* Characters in the page; without its JSON as long as that is not made. */
struct sizes {
    uint64_t weights, all;
};

static weir_status measure(struct sizes *out, const struct page *page, const char *json)
{
    uint64_t weights = 0;
    for (size_t i = 0; i < page->prompts.n; i++) {
        weir_file_prompt prompt;
        TRY(page_prompt(&prompt, page, i));
        weights += page_weights_size(page, &prompt);
    }
    out->weights = base64_size(weights);
    out->all = BLOCKS + page_shell_head_size + page_shell_tail_size + (json ? strlen(json) : 0) + out->weights +
               base64_size(page->n_units * page->n_rows * sizeof(float)) +
               base64_size(page->n_norms * page->n_rows * sizeof(float));
    return WEIR_OK;
}

/* What to choose so that it fits: as many layers as do, or one prompt, or one head. */
static void advise(char to[64], const struct page *page, const struct sizes *sizes, uint64_t limit)
{
    uint64_t rest = sizes->all - sizes->weights;
    size_t fit = limit > rest && sizes->weights
                     ? (size_t)((double)(limit - rest) / (double)sizes->weights * (double)page->layers.n)
                     : 0;
    if (fit > 0)
        snprintf(to, 64, "--layer %zu:%zu", page->layers.list[0], page->layers.list[fit - 1] + 1);
    else if (page->prompts.n > 1)
        snprintf(to, 64, "--prompt %zu", page->prompts.list[0]);
    else if (page->pattern && page->heads.n > 1)
        snprintf(to, 64, "--layer %zu --head %zu", page->layers.list[0], page->heads.list[0]);
    else
        snprintf(to, 64, "--neurons mlp_post:0.3+7");
}

static weir_status check_size(const struct page *page, const struct sizes *sizes, uint64_t limit)
{
    char is[16], may[16], advice[64];
    if (sizes->all <= limit)
        return WEIR_OK;
    advise(advice, page, sizes, limit);
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "the page would be %s, the limit is %s: choose layers, heads or prompts, as in %s, or raise "
                     "--max-size",
                     weir_readable_size(is, sizes->all), weir_readable_size(may, limit), advice);
}

/* ---- writing ---- */

static void open_block(FILE *to, const char *type, const char *id)
{
    fprintf(to, "<script type=\"%s\" id=\"%s\">", type, id);
}

typedef weir_status put_fn(struct base64 *out, const struct page *page);

static weir_status put_block(FILE *to, const char *id, put_fn *put, const struct page *page)
{
    struct base64 out = {.to = to};
    open_block(to, "application/octet-stream", id);
    TRY(put(&out, page));
    fputs("</script>\n", to);
    return WEIR_OK;
}

static weir_status put_page(FILE *to, const struct page *page, const char *json)
{
    fwrite(page_shell_head, 1, page_shell_head_size, to);
    open_block(to, "application/json", "data-contents");
    fprintf(to, "%s</script>\n", json);
    TRY(put_block(to, "data-weights", page_put_weights, page));
    TRY(put_block(to, "data-units", page_put_units, page));
    TRY(put_block(to, "data-norms", page_put_norms, page));
    fwrite(page_shell_tail, 1, page_shell_tail_size, to);
    return WEIR_OK;
}

static weir_status write_to(const struct weir_partial *partial, const struct page *page, const char *json)
{
    int fd = dup(partial->fd);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!to) {
        if (fd >= 0)
            close(fd);
        return weir_fail(WEIR_E_OUTPUT, "%s: could not be opened: %s", partial->final, strerror(errno));
    }
    weir_status status = put_page(to, page, json);
    bool failed = ferror(to);
    errno = 0;
    failed |= fclose(to) != 0;
    if (failed && status == WEIR_OK)
        status = weir_fail(WEIR_E_OUTPUT, "%s: could not be written: %s", partial->final,
                           errno ? strerror(errno) : "the disk is full");
    return status;
}

static weir_status write_whole(const char *path, const struct page *page, const char *json, uint64_t bytes, bool force)
{
    struct weir_partial *partial;
    interrupts_catch(); /* from here on there is a file to clean up */
    TRY(weir_partial_open(&partial, path, force));
    weir_status status = weir_partial_room(partial, bytes);
    if (status == WEIR_OK)
        status = write_to(partial, page, json);
    if (status == WEIR_OK)
        status = weir_partial_commit(partial);
    weir_partial_close(partial);
    return status;
}

static weir_status check_size_of(struct sizes *sizes, const struct page *page, const char *json, uint64_t limit)
{
    TRY(measure(sizes, page, json));
    return check_size(page, sizes, limit);
}

weir_status page_write(struct page_summary *out, const char *path, const weir_file *file,
                       const struct page_choice *choice)
{
    struct page page = {.file = file};
    struct sizes sizes = {0};
    char *json = NULL;
    weir_status status;
    TRY_DONE(choose_parts(&page, choice));
    TRY_DONE(check_size_of(&sizes, &page, NULL, choice->limit)); /* before neurons are looked for, which takes long */
    TRY_DONE(page_choose_units(&page, choice->units, choice->limit / 10));
    TRY_DONE(check_anything(&page));
    TRY_DONE(page_json(&json, &page));
    TRY_DONE(check_size_of(&sizes, &page, json, choice->limit));
    TRY_DONE(write_whole(path, &page, json, sizes.all, choice->force));
    *out = (struct page_summary){sizes.all, page.layers.n, page.heads.n, page.prompts.n, page.n_units, page.n_norms};
done:
    weir_free(json);
    page_close(&page);
    return status;
}
