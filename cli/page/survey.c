/* One pass over the chosen patterns: the scores of their heads, and an overview of each. */
#include "cli/page/parts.h"
#include "cli/process/interrupt.h"
#include "cli/select/slices.h"

#include "analysis/heads.h"
#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct survey {
    struct page *page;
    size_t *layer_place, *head_place, *prompt_place; /* indices in the page of the file's layers, heads and prompts */
    struct overview overview;
    bool open;           /* an overview is under way: */
    size_t prompt, head; /* of this prompt and head of the page */
};

/* Keeps the thumbnail and the packed overview of the head that was under way. */
static weir_status end_surveyed_head(struct survey *survey)
{
    struct page *page = survey->page;
    struct page_part *part = &page->parts[survey->prompt];
    if (!survey->open)
        return WEIR_OK;
    survey->open = false;
    part->dense[survey->head] = survey->overview.dense;
    if (part->thumbs)
        page_overview_thumb(part->thumbs + survey->head * page_thumb_size(&part->blocks), &survey->overview);
    return page->n_strongest ? page_overview_pack(&part->maps[survey->head], &survey->overview, SIZE_MAX) : WEIR_OK;
}

/* Rows come head by head, prompt by prompt: a row of another head ends the one before. */
static weir_status survey_row(const struct weir_row *row, void *payload)
{
    struct survey *survey = payload;
    size_t prompt = survey->prompt_place[row->prompt];
    size_t head = survey->layer_place[row->layer] * survey->page->heads.n + survey->head_place[row->at[0]];
    if (!survey->open || prompt != survey->prompt || head != survey->head) {
        weir_file_prompt tokens;
        if (interrupted())
            return stopped();
        TRY(end_surveyed_head(survey));
        TRY(page_prompt(&tokens, survey->page, prompt));
        page_overview_begin(&survey->overview, prompt, tokens.n_rows);
        survey->open = true;
        survey->prompt = prompt;
        survey->head = head;
    }
    return page_overview_add(&survey->overview, row);
}

/* ---- scores ---- */

/* The order in which heads are looked at first: by the largest of their detection scores. */
static int compare_best_scores(const void *a, const void *b, void *payload)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    const double *best = payload;
    return best[x] != best[y] ? (best[x] < best[y] ? 1 : -1) : x < y ? -1 : x > y;
}

/* Scores of every head, and the heads in falling order of their best. */
static weir_status keep_page_scores(struct page *page, const struct weir_heads *heads)
{
    size_t n = page->layers.n * page->heads.n;
    double *best;
    TRY(weir_alloc(&page->scores, n, sizeof *page->scores));
    TRY(weir_alloc(&page->order, n, sizeof *page->order));
    TRY(weir_alloc(&best, n, sizeof *best));
    for (size_t i = 0; i < n; i++) {
        struct weir_head head;
        bool has = weir_heads_get(&head, heads, (int)page->layers.list[i / page->heads.n],
                                  (int)page->heads.list[i % page->heads.n]);
        best[i] = -1;
        page->order[i] = i;
        for (int which = 0; which < PAGE_SCORES; which++) {
            page->scores[i][which] = has ? head.match[which].weight : (double)NAN;
            if (page->scores[i][which] > best[i])
                best[i] = page->scores[i][which];
        }
    }
    qsort_r(page->order, n, sizeof *page->order, compare_best_scores, best);
    weir_free(best);
    return WEIR_OK;
}

/* ---- the pass ---- */

static weir_status place_in_page(size_t **out, const struct picked *picked, size_t n)
{
    TRY(weir_alloc_zero(out, n, sizeof **out));
    for (size_t i = 0; i < picked->n; i++)
        (*out)[picked->list[i]] = i;
    return WEIR_OK;
}

/* Scores come from the same pass over the patterns as overviews. */
static weir_status survey_patterns(struct survey *survey, const struct page_choice *choice)
{
    struct weir_heads_options options = {.also = survey_row, .payload = survey};
    struct weir_heads *heads = NULL;
    weir_status status;
    TRY_DONE(slices_parse(&options.layers, choice->layers, "layer"));
    TRY_DONE(slices_parse(&options.heads, choice->heads, "head"));
    TRY_DONE(slices_parse(&options.prompts, choice->prompts, "prompt"));
    TRY_DONE(weir_heads_of_file(&heads, survey->page->file, &options));
    TRY_DONE(end_surveyed_head(survey));
    status = keep_page_scores(survey->page, heads);
done:
    weir_heads_close(heads);
    weir_slices_close(&options.layers);
    weir_slices_close(&options.heads);
    weir_slices_close(&options.prompts);
    return status;
}

weir_status page_survey(struct page *page, const struct page_choice *choice)
{
    const weir_file_info *info = weir_file_get_info(page->file);
    struct survey survey = {.page = page};
    weir_status status;
    TRY_DONE(place_in_page(&survey.layer_place, &page->layers, (size_t)info->n_layers));
    TRY_DONE(place_in_page(&survey.head_place, &page->heads, page->pattern->shape[0]));
    TRY_DONE(place_in_page(&survey.prompt_place, &page->prompts, (size_t)info->n_prompts));
    TRY_DONE(page_overview_open(&survey.overview, page));
    status = survey_patterns(&survey, choice);
done:
    page_overview_close(&survey.overview);
    weir_free(survey.layer_place);
    weir_free(survey.head_place);
    weir_free(survey.prompt_place);
    return status;
}
