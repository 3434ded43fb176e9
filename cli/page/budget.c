/* Chooses how much of the patterns a page holds: which heads whole, which as overviews, within --max-size. */
#include "cli/page/parts.h"

#include "base/alloc.h"
#include "base/sizes.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 96,            /* the tags around a block of data, at most */
    MOST_WHOLE = 12500000, /* weights a head, which is 5,000 tokens: more takes a browser too long */
    MOST_TOKENS = 65535,   /* distances between query and key have 16 bits */
    TOKEN = 32,            /* characters of a token in the JSON, about */
    ROOM_PARTS = 10,
    ROOM_OF_MAPS = 6 /* of as many parts of the room, at most */
};

/* The fineness of overviews: blocks along the longer side, and strongest keys per query. */
static const struct quality {
    size_t blocks, strongest;
} qualities[] = {{2048, 32}, {1024, 16}, {768, 12}, {512, 12}, {512, 8}, {384, 6}, {256, 4}, {128, 2}};

enum { N_QUALITIES = sizeof qualities / sizeof *qualities };

/* The part of the patterns that a page may have. */
struct extent {
    size_t layers, heads, prompts;
};

static size_t count_page_heads(const struct page *page)
{
    return page->pattern ? page->layers.n * page->heads.n : 0;
}

uint64_t page_rest_size(const struct page *page, const char *json)
{
    return page_shell_head_size + page_shell_script_size + page_shell_tail_size + 5 * BLOCK +
           (json ? strlen(json) : page->n_tokens * TOKEN) + page->reserved +
           base64_size((page->n_units + page->n_norms) * page->n_rows * sizeof(float)) +
           base64_size(page->n_grid_values * sizeof(float));
}

static size_t block_side(const weir_file_prompt *prompt, size_t blocks)
{
    size_t longer = prompt->n > prompt->n_rows ? prompt->n : prompt->n_rows;
    return longer > blocks ? (longer + blocks - 1) / blocks : 1;
}

/* Bytes of patterns in base64: with every weight, or as overviews of a quality, before they are deflated. */
static weir_status measure_patterns(uint64_t *out, struct page *page, const struct extent *extent,
                                    const struct quality *quality)
{
    *out = 0;
    for (size_t i = 0; i < extent->prompts; i++) {
        weir_file_prompt prompt;
        struct page_blocks blocks;
        TRY(page_prompt(&prompt, page, i));
        TRY(page_blocks_open(&blocks, &prompt, quality ? block_side(&prompt, quality->blocks) : 1));
        page->n_strongest = quality ? quality->strongest : 0;
        uint64_t whole = page_weights_of(page, &prompt) * sizeof(uint16_t);
        uint64_t one = quality ? page_map_size(page, &blocks, &prompt) : whole;
        uint64_t thumb = prompt.n > PAGE_THUMB ? page_thumb_size(&blocks) : 0;
        *out += (base64_size(one + thumb) + BLOCK) * extent->layers * extent->heads;
        weir_free(blocks.start);
    }
    return WEIR_OK;
}

/* Heads of so many weights are never whole, however large the page may be. */
static weir_status any_is_long(bool *out, const struct page *page)
{
    *out = false;
    for (size_t i = 0; i < page->prompts.n; i++) {
        weir_file_prompt prompt;
        TRY(page_prompt(&prompt, page, i));
        if (prompt.n > MOST_TOKENS)
            return weir_fail(WEIR_E_UNSUPPORTED, "prompt %zu has %zu tokens; a page shows patterns of up to %d",
                             page->prompts.list[i], prompt.n, MOST_TOKENS);
        *out |= page_weights_of(page, &prompt) > MOST_WHOLE;
    }
    return WEIR_OK;
}

/* Characters of a head's overview and thumbnail as page_survey made them; of its weights where the page has nothing
   else. */
uint64_t page_block_size(const struct page *page, size_t prompt, size_t head)
{
    const struct page_part *part = &page->parts[prompt];
    weir_file_prompt tokens;
    uint64_t thumb = part->thumbs ? base64_size(page_thumb_size(&part->blocks)) : 0;
    if (part->maps)
        return base64_size(part->maps[head].n) + thumb + 2 * BLOCK;
    if (page_prompt(&tokens, page, prompt) != WEIR_OK)
        return 0;
    return base64_size(page_weights_of(page, &tokens) * sizeof(uint16_t)) + thumb + BLOCK;
}

/* ---- when nothing fits ---- */

/* A smaller part: first fewer prompts, then of one prompt fewer layers, then of one layer fewer heads. */
static struct extent smaller_extent(const struct extent *all, int stage, size_t n)
{
    return stage == 0   ? (struct extent){all->layers, all->heads, n}
           : stage == 1 ? (struct extent){n, all->heads, 1}
                        : (struct extent){1, n, 1};
}

/* The most that a page can have; all fields 0: nothing of the kind fits. */
static weir_status find_fitting_extent(struct extent *out, struct page *page, uint64_t room)
{
    const struct extent all = {page->layers.n, page->heads.n, page->prompts.n};
    const size_t most[] = {all.prompts, all.layers, all.heads};
    for (int stage = 0; stage < 3; stage++)
        for (size_t n = most[stage]; n > 0; n = n > 64 ? n * 7 / 8 : n - 1) {
            uint64_t bytes;
            *out = smaller_extent(&all, stage, n);
            TRY(measure_patterns(&bytes, page, out, &qualities[N_QUALITIES - 1]));
            if (bytes <= room)
                return WEIR_OK;
        }
    *out = (struct extent){0};
    return WEIR_OK;
}

/* The first n that are picked: as a slice where that names no others, else only the first of them. */
static void put_option_range(FILE *to, const char *option, const struct picked *picked, size_t n)
{
    if (n == 0 || n == picked->n)
        return;
    size_t first = picked->list[0], last = picked->list[n - 1];
    fprintf(to, last - first == n - 1 && n > 1 ? "%s %zu:%zu " : "%s %zu ", option, first, last + 1);
}

/* "--prompt 2 --layer 0:6 ", "" when nothing of the kind helps. */
static weir_status advise_choice(char *to, size_t size, struct page *page, uint64_t room)
{
    struct extent fit;
    TRY(find_fitting_extent(&fit, page, room));
    FILE *text = fmemopen(to, size, "w");
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    put_option_range(text, "--prompt", &page->prompts, fit.prompts);
    put_option_range(text, "--layer", &page->layers, fit.layers);
    put_option_range(text, "--head", &page->heads, fit.heads);
    fclose(text);
    return WEIR_OK;
}

weir_status page_refuse(struct page *page, const struct page_choice *choice, uint64_t bytes)
{
    char is[16], may[16], advice[96] = "";
    uint64_t rest = page_rest_size(page, NULL), mb = bytes / PAGE_MB + 1;
    if (count_page_heads(page) && rest < choice->limit)
        TRY(advise_choice(advice, sizeof advice, page, choice->limit - rest));
    size_t n = strlen(advice);
    if (n)
        advice[n - 1] = '\0';
    return weir_fail(WEIR_E_UNSUPPORTED, "the page would take %s, the limit is %s: %s%s%s%s--max-size %llu",
                     weir_size_text(is, bytes), weir_size_text(may, choice->limit), n ? "choose " : "", advice,
                     n ? ", or " : "choose ", choice->raise, (unsigned long long)mb);
}

/* ---- what goes in ---- */

/* Every weight where that fits, else the finest overviews that leave room for whole heads. */
static weir_status choose_quality(const struct quality **out, struct page *page, const struct page_choice *choice)
{
    const struct extent all = {page->layers.n, page->heads.n, page->prompts.n};
    uint64_t rest = page_rest_size(page, NULL), room = choice->limit > rest ? choice->limit - rest : 0, bytes = 0;
    bool is_long;
    TRY(any_is_long(&is_long, page));
    *out = NULL;
    TRY(measure_patterns(&bytes, page, &all, NULL));
    if (bytes <= room && !is_long)
        return WEIR_OK;
    for (int i = 0; i < N_QUALITIES; i++) {
        *out = &qualities[i];
        TRY(measure_patterns(&bytes, page, &all, *out));
        if (bytes <= (i < N_QUALITIES - 1 ? room / ROOM_PARTS * ROOM_OF_MAPS : room))
            return WEIR_OK;
    }
    return page_refuse(page, choice, bytes + rest);
}

/* Room for what will be kept of one prompt's heads. */
static weir_status open_page_part(struct page_part *part, const struct page *page, size_t i,
                                  const struct quality *quality)
{
    size_t n = count_page_heads(page);
    weir_file_prompt prompt;
    TRY(page_prompt(&prompt, page, i));
    TRY(weir_alloc_zero(&part->dense, n, sizeof *part->dense));
    TRY(weir_alloc_zero(&part->whole, n, sizeof *part->whole));
    if (quality)
        TRY(weir_alloc_zero(&part->maps, n, sizeof *part->maps));
    size_t side = block_side(&prompt, quality ? quality->blocks : PAGE_THUMB);
    TRY(page_blocks_open(&part->blocks, &prompt, side));
    return prompt.n > PAGE_THUMB ? weir_alloc_zero(&part->thumbs, n, page_thumb_size(&part->blocks)) : WEIR_OK;
}

weir_status page_plan(struct page *page, const struct page_choice *choice)
{
    const struct quality *quality = NULL;
    if (count_page_heads(page))
        TRY(choose_quality(&quality, page, choice));
    else if (page_rest_size(page, NULL) > choice->limit)
        return page_refuse(page, choice, page_rest_size(page, NULL));
    page->n_strongest = quality ? quality->strongest : 0;
    TRY(weir_alloc_zero(&page->parts, page->prompts.n, sizeof *page->parts));
    for (size_t i = 0; count_page_heads(page) && i < page->prompts.n; i++)
        TRY(open_page_part(&page->parts[i], page, i, quality));
    return WEIR_OK;
}
