/* Chooses what goes into a page and writes it. */
#include "cli/page/page.h"

#include "cli/export/output.h"
#include "cli/page/parts.h"
#include "cli/process/interrupt.h"
#include "cli/select/files.h"
#include "cli/select/slices.h"

#include "base/alloc.h"

#include <string.h>

weir_status page_prompt(weir_file_prompt *out, const struct page *page, size_t i)
{
    return weir_file_get_prompt(page->file, (int)page->prompts.list[i], out);
}

/* ---- choosing ---- */

/* The indices that the slices name (all without) of n things, of which `stored` marks those that there are (NULL:
   all). */
static weir_status choose_indices(struct picked *out, const char *slices, const bool *stored, size_t n,
                                  const char *what)
{
    struct weir_slices parsed = {0};
    bool *marked = NULL;
    weir_status status;
    TRY_DONE(slices_mark(&marked, &parsed, n, slices, what));
    for (size_t i = 0; stored && i < n; i++)
        marked[i] &= stored[i];
    TRY_DONE(picked_of_marks(out, marked, n));
    if (slices && out->n == 0)
        status = weir_fail(WEIR_E_USAGE, "--%s %s: none of that is stored (weir ls lists what is)", what, slices);
done:
    weir_slices_close(&parsed);
    weir_free(marked);
    return status;
}

/* Chooses among the heads that any of the chosen layers has. */
static weir_status choose_page_heads(struct page *page, const char *slices)
{
    size_t n = page->pattern->shape[0];
    int n_layers = weir_file_get_info(page->file)->n_layers;
    bool *layers = NULL, *stored = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&layers, (size_t)n_layers, sizeof *layers));
    for (size_t i = 0; i < page->layers.n; i++)
        layers[page->layers.list[i]] = true;
    TRY_DONE(stored_units_mark(&stored, n, page->pattern, layers, n_layers));
    status = choose_indices(&page->heads, slices, stored, n, "head");
done:
    weir_free(layers);
    weir_free(stored);
    return status;
}

static weir_status choose_page_patterns(struct page *page, const struct page_choice *choice)
{
    const weir_file_info *info = weir_file_get_info(page->file);
    page->pattern = weir_file_find(page->file, "pattern");
    if (!page->pattern && !choice->heads)
        return WEIR_OK;
    TRY(weir_stored_pattern(&page->pattern, page->file));
    TRY(choose_indices(&page->layers, choice->layers, page->pattern->layers, (size_t)info->n_layers, "layer"));
    return choose_page_heads(page, choice->heads);
}

/* Rows and tokens of all chosen prompts; those without rows are left out, as there is nothing to show of them. */
static weir_status count_page_rows(struct page *page, const struct page_choice *choice)
{
    size_t kept = 0, left_out = 0, first = 0;
    for (size_t i = 0; i < page->prompts.n; i++) {
        weir_file_prompt prompt;
        TRY(page_prompt(&prompt, page, i));
        if (prompt.n_rows == 0) {
            first = left_out++ ? first : (size_t)page->prompts.list[i];
            continue;
        }
        page->n_rows += prompt.n_rows;
        page->n_tokens += prompt.n;
        page->prompts.list[kept++] = page->prompts.list[i];
    }
    page->prompts.n = kept;
    if (page->n_rows == 0)
        return weir_fail(WEIR_E_INPUT, "the prompts have no stored positions for a page to show");
    if (*choice->prompts) /* that were named */
        say_left_out(left_out, first, "the page is");
    return WEIR_OK;
}

/* All but the units, for which values are read. */
static weir_status choose_page_parts(struct page *page, const struct page_choice *choice)
{
    const weir_file_info *info = weir_file_get_info(page->file);
    TRY(choose_indices(&page->prompts, choice->prompts, NULL, (size_t)info->n_prompts, "prompt"));
    TRY(count_page_rows(page, choice));
    TRY(choose_page_patterns(page, choice));
    TRY(choose_indices(&page->chosen, choice->layers, NULL, (size_t)info->n_layers, "layer"));
    TRY(page_find_grids(page));
    return page_choose_norms(page);
}

static weir_status check_anything(const struct page *page)
{
    if (page->pattern || page->n_norms || page->n_units || page->n_shown_grids)
        return WEIR_OK;
    return weir_fail(WEIR_E_INPUT,
                     "the file contains nothing for a page to show; dump with --hooks pattern,mlp_post,resid_post");
}

static void close_page_part(struct page_part *part, size_t n_heads)
{
    for (size_t i = 0; part->maps && i < n_heads; i++)
        page_unpack(&part->maps[i]);
    weir_free(part->maps);
    weir_free(part->thumbs);
    weir_free(part->dense);
    weir_free(part->whole);
    weir_free(part->blocks.start);
}

static void page_close(struct page *page)
{
    for (size_t i = 0; page->parts && i < page->prompts.n; i++)
        close_page_part(&page->parts[i], page->layers.n * page->heads.n);
    weir_free(page->parts);
    weir_free(page->scores);
    weir_free(page->order);
    weir_free(page->layers.list);
    weir_free(page->heads.list);
    weir_free(page->prompts.list);
    weir_free(page->chosen.list);
    weir_free(page->units);
    weir_free(page->norms);
    weir_stored_grids_free(page->grids, page->n_grids);
    weir_selection_close(page->selection);
}

/* ---- writing ---- */

static void open_block(FILE *to, const char *type, const char *id)
{
    fprintf(to, "<script type=\"%s\" id=\"%s\">", type, id);
}

typedef weir_status put_fn(struct base64 *out, const struct page *page);

static weir_status put_series(FILE *to, const char *id, put_fn *put, const struct page *page)
{
    struct base64 out = {.to = to};
    open_block(to, "application/octet-stream", id);
    TRY(put(&out, page));
    fputs("</script>\n", to);
    return WEIR_OK;
}

/* A line end after every block tells the page, while it loads, that the block is complete. */
static void put_packed(FILE *to, const char *kind, size_t prompt, size_t head, const struct packed *packed)
{
    struct base64 out = {.to = to};
    fprintf(to, "<script type=\"application/octet-stream\" id=\"%s-%zu-%zu\"%s>", kind, prompt, head,
            packed->deflated ? " class=\"deflate\"" : "");
    base64_put(&out, packed->bytes, packed->n);
    base64_end(&out);
    fputs("</script>\n", to);
}

/* ---- patterns ---- */

/* A page on its way out. */
struct writing {
    FILE *to;
    struct page *page;
    struct page_summary *summary;
    uint64_t room; /* characters that whole heads may still take */
};

/* Characters that a head with every weight takes, about: what is tiny or masked deflates to next to nothing. */
static uint64_t guess_size(const struct page *page, size_t prompt, size_t head)
{
    return base64_size(page->parts[prompt].dense[head] * 7 / 4);
}

/* Writes a head with every weight, if there is room for it. */
static weir_status put_whole_head(struct writing *writing, size_t prompt, size_t head)
{
    struct page_part *part = &writing->page->parts[prompt];
    uint64_t room = writing->room / 4 * 3;
    struct packed packed = {0};
    if (part->whole[head] || (part->maps && guess_size(writing->page, prompt, head) > room))
        return WEIR_OK;
    TRY(page_pack_head(&packed, writing->page, prompt, head, part->maps ? (size_t)room : SIZE_MAX));
    if (packed.fits) {
        put_packed(writing->to, "head", prompt, head, &packed);
        part->whole[head] = true;
        writing->summary->n_whole++;
        writing->room -= part->maps ? base64_size(packed.n) : 0;
    }
    page_unpack(&packed);
    return WEIR_OK;
}

/* Heads that have an overview are written once more with every weight, by falling score, while there is room; short
   heads need no overview. */
static weir_status put_whole_heads(struct writing *writing)
{
    const struct page *page = writing->page;
    for (size_t i = 0; i < page->layers.n * page->heads.n; i++)
        for (size_t prompt = 0; prompt < page->prompts.n; prompt++)
            TRY(put_whole_head(writing, prompt, page->order[i]));
    return WEIR_OK;
}

static weir_status put_thumbs(struct writing *writing, size_t prompt)
{
    const struct page_part *part = &writing->page->parts[prompt];
    size_t n = writing->page->layers.n * writing->page->heads.n;
    struct packed packed;
    if (!part->thumbs)
        return WEIR_OK;
    TRY(page_pack(&packed, part->thumbs, n * page_thumb_size(&part->blocks), SIZE_MAX));
    put_packed(writing->to, "thumbs", prompt, 0, &packed);
    page_unpack(&packed);
    return WEIR_OK;
}

static void put_overview_map(struct writing *writing, size_t prompt, size_t head)
{
    struct page_part *part = &writing->page->parts[prompt];
    if (part->maps && part->maps[head].n && !part->whole[head])
        put_packed(writing->to, "map", prompt, head, &part->maps[head]);
}

/* The part of the first prompt that the page opens with: it draws that before the rest has come. The overview of the
   opening head is there even if its weights follow. */
static weir_status put_opening(struct writing *writing)
{
    TRY(put_thumbs(writing, 0));
    put_overview_map(writing, 0, writing->page->order[0]);
    return WEIR_OK;
}

/* Everything that the page does not open with: other thumbnails, whole heads, overviews. */
static weir_status put_rest(struct writing *writing)
{
    const struct page *page = writing->page;
    for (size_t i = 1; i < page->prompts.n; i++)
        TRY(put_thumbs(writing, i));
    TRY(put_whole_heads(writing));
    for (size_t i = 0; i < page->prompts.n; i++)
        for (size_t head = 0; head < page->layers.n * page->heads.n; head++)
            if (i > 0 || head != page->order[0])
                put_overview_map(writing, i, head);
    return WEIR_OK;
}

/* Head, contents, what the page opens with, script, the rest. */
static weir_status put_page(struct writing *writing, const char *json)
{
    FILE *to = writing->to;
    fwrite(page_shell_head, 1, page_shell_head_size, to);
    open_block(to, "application/json", "data-contents");
    fprintf(to, "%s</script>\n", json);
    TRY(put_series(to, "data-units", page_put_units, writing->page));
    TRY(put_series(to, "data-norms", page_put_norms, writing->page));
    TRY(put_series(to, "data-grids", page_put_grids, writing->page));
    if (writing->page->pattern)
        TRY(put_opening(writing));
    fwrite(page_shell_script, 1, page_shell_script_size, to);
    if (writing->page->pattern)
        TRY(put_rest(writing));
    fwrite(page_shell_tail, 1, page_shell_tail_size, to);
    return WEIR_OK;
}

/* The summary's bytes are those that were written. */
static weir_status write_page_text(struct output *output, struct writing *writing, const char *json)
{
    TRY(output_text(&writing->to, output));
    weir_status status = put_page(writing, json), written = output_end_text(writing->to, output);
    writing->summary->bytes = output->written;
    return status != WEIR_OK ? status : written;
}

/* The part of the limit that is left for whole heads, and the most that the page can come to. */
static weir_status find_page_room(struct writing *writing, uint64_t *most, const char *json,
                                  const struct page_choice *choice)
{
    struct page *page = writing->page;
    uint64_t taken = page_rest_size(page, json);
    for (size_t i = 0; i < page->prompts.n; i++)
        for (size_t head = 0; page->pattern && head < page->layers.n * page->heads.n; head++)
            taken += page_block_size(page, i, head);
    if (taken > choice->limit)
        return page_refuse(page, choice, taken);
    writing->room = choice->limit - taken;
    *most = page->n_strongest ? choice->limit : taken;
    return WEIR_OK;
}

/* Refuses a page over the limit before its file is opened. */
static weir_status write_page_file(const char *path, struct writing *writing, const char *json,
                                   const struct page_choice *choice)
{
    struct output output;
    uint64_t most = 0;
    TRY(find_page_room(writing, &most, json, choice));
    weir_status status = output_open(&output, path, choice->force, false);
    if (status == WEIR_OK)
        status = output_room(&output, most);
    if (status == WEIR_OK)
        status = with_texts(write_page_text(&output, writing, json), writing->page->file);
    if (status == WEIR_OK)
        status = output_commit(&output);
    output_close(&output);
    return status;
}

static weir_status choose_page_units(struct page *page, const struct page_choice *choice)
{
    if (choice->units)
        return page_choose_units(page, choice->units);
    page_reserve_units(page, choice->limit / 10);
    return WEIR_OK;
}

weir_status page_write(struct page_summary *out, const char *path, const weir_file *file,
                       const struct page_choice *choice)
{
    struct page page = {.file = file};
    struct writing writing = {.page = &page, .summary = out};
    char *json = NULL;
    weir_status status;
    interrupts_catch();
    TRY_DONE(choose_page_parts(&page, choice));
    TRY_DONE(choose_page_units(&page, choice));
    TRY_DONE(page_plan(&page, choice)); /* before values are read, which takes long */
    if (!choice->units)
        TRY_DONE(page_choose_units(&page, NULL));
    TRY_DONE(check_anything(&page));
    if (page.pattern)
        TRY_DONE(page_survey(&page, choice));
    TRY_DONE(page_json(&json, &page));
    *out = (struct page_summary){.n_layers = page.layers.n,
                                 .n_heads = page.heads.n,
                                 .n_prompts = page.prompts.n,
                                 .n_units = page.n_units,
                                 .n_norms = page.n_norms,
                                 .n_grids = page.n_shown_grids,
                                 .n_patterns = page.layers.n * page.heads.n * page.prompts.n};
    status = write_page_file(path, &writing, json, choice);
done:
    weir_free(json);
    page_close(&page);
    return status;
}
