/* In which order prompts run that read each other, and which run together. */
#include "engine/schedule.h"

#include <criterion/criterion.h>

enum { PROMPTS = 6, LENGTH = 10 };

static struct weir_schedule begin(void)
{
    static weir_tokens prompts[PROMPTS];
    struct weir_schedule schedule;
    for (size_t i = 0; i < PROMPTS; i++)
        prompts[i].n = LENGTH;
    cr_assert_eq(weir_schedule_open(&schedule, prompts, PROMPTS), WEIR_OK);
    return schedule;
}

static void need(struct weir_schedule *schedule, size_t reader, size_t source, bool strictly)
{
    cr_assert_eq(weir_schedule_need(schedule, reader, source, strictly), WEIR_OK);
}

static const struct weir_need *settle(struct weir_schedule *schedule, size_t positions)
{
    const struct weir_need *cycle;
    cr_assert_eq(weir_schedule_settle(schedule, positions, &cycle), WEIR_OK);
    return cycle;
}

static size_t place(const struct weir_schedule *schedule, size_t prompt)
{
    size_t at = 0;
    while (schedule->order[at] != prompt)
        at++;
    return at;
}

static size_t batch(const struct weir_schedule *schedule, size_t prompt)
{
    size_t at = place(schedule, prompt), i = 0;
    while (schedule->ends[i] <= at)
        i++;
    return i;
}

Test(schedule, prompts_that_need_nothing_run_in_the_order_given_as_many_to_a_batch_as_fit)
{
    struct weir_schedule schedule = begin();
    cr_assert_null(settle(&schedule, 4 * LENGTH + 5));
    for (size_t i = 0; i < PROMPTS; i++)
        cr_assert_eq(schedule.order[i], i);
    cr_assert_eq(schedule.n_batches, 2);
    cr_assert_eq(schedule.ends[0], 4);
    weir_schedule_close(&schedule);
}

Test(schedule, a_prompt_longer_than_a_batch_has_one_of_its_own)
{
    struct weir_schedule schedule = begin();
    settle(&schedule, 1);
    cr_assert_eq(schedule.n_batches, PROMPTS);
    weir_schedule_close(&schedule);
}

Test(schedule, a_source_comes_before_its_reader_in_the_same_batch_or_an_earlier_one)
{
    struct weir_schedule schedule = begin();
    need(&schedule, 0, 5, false);
    need(&schedule, 5, 3, false);
    cr_assert_null(settle(&schedule, LENGTH));
    cr_assert_lt(batch(&schedule, 5), batch(&schedule, 0));
    cr_assert_lt(batch(&schedule, 3), batch(&schedule, 5));
    weir_schedule_close(&schedule);
}

Test(schedule, a_source_that_is_computed_later_than_it_is_read_runs_in_an_earlier_batch)
{
    struct weir_schedule schedule = begin();
    need(&schedule, 0, 5, true);
    need(&schedule, 1, 0, false);
    cr_assert_null(settle(&schedule, 1000));
    cr_assert_eq(schedule.n_batches, 2);
    cr_assert_eq(batch(&schedule, 5), 0);
    cr_assert_eq(batch(&schedule, 0), 1);
    cr_assert_eq(batch(&schedule, 1), 1);
    cr_assert_eq(batch(&schedule, 2), 0);
    weir_schedule_close(&schedule);
}

Test(schedule, prompts_that_read_each_other_share_a_batch_however_small)
{
    struct weir_schedule schedule = begin();
    need(&schedule, 1, 4, false);
    need(&schedule, 4, 2, false);
    need(&schedule, 2, 1, false);
    cr_assert_null(settle(&schedule, LENGTH));
    cr_assert_eq(batch(&schedule, 1), batch(&schedule, 4));
    cr_assert_eq(batch(&schedule, 1), batch(&schedule, 2));
    cr_assert_eq(schedule.n_batches, 4);
    weir_schedule_close(&schedule);
}

Test(schedule, what_is_read_before_it_can_have_been_computed_is_named)
{
    struct weir_schedule schedule = begin();
    need(&schedule, 0, 1, false);
    need(&schedule, 1, 2, false);
    need(&schedule, 2, 0, true);
    const struct weir_need *cycle = settle(&schedule, LENGTH);
    cr_assert_not_null(cycle);
    cr_assert_eq(cycle->reader, 2);
    cr_assert_eq(cycle->source, 0);
    weir_schedule_close(&schedule);
}

Test(schedule, an_unedited_copy_is_made_once_and_runs_just_before_its_prompt)
{
    struct weir_schedule schedule = begin();
    size_t first, again;
    cr_assert_eq(weir_schedule_copy(&first, &schedule, 2), WEIR_OK);
    cr_assert_eq(weir_schedule_copy(&again, &schedule, 2), WEIR_OK);
    cr_assert_eq(first, PROMPTS);
    cr_assert_eq(again, first);
    cr_assert_eq(schedule.n, PROMPTS + 1);
    need(&schedule, 2, first, false);
    cr_assert_null(settle(&schedule, 1000));
    cr_assert_eq(place(&schedule, first), 2);
    cr_assert_eq(place(&schedule, 2), 3);
    weir_schedule_close(&schedule);
}

Test(schedule, whatever_the_needs_sources_run_no_later_than_readers_and_batches_hold_what_they_may)
{
    unsigned state = 1;
    for (int round = 0; round < 2000; round++) {
        struct weir_schedule schedule = begin();
        for (int i = 0; i < 7; i++) {
            size_t ends[2];
            for (int j = 0; j < 2; j++) {
                state = state * 1664525u + 1013904223u;
                ends[j] = (state >> 16) % PROMPTS;
            }
            if (ends[0] != ends[1])
                need(&schedule, ends[0], ends[1], (state >> 8) % 3 == 0);
        }
        const struct weir_need *cycle = settle(&schedule, 2 * LENGTH);
        for (size_t i = 0; i < schedule.n_needs; i++) {
            const struct weir_need *n = &schedule.needs[i];
            size_t source = batch(&schedule, n->source), reader = batch(&schedule, n->reader);
            cr_assert_leq(source, reader);
            cr_assert(cycle || !n->strictly || source < reader);
        }
        weir_schedule_close(&schedule);
    }
}
