/* Prompts by side and by field, as selections, places and metrics name them. */
#include "points/sides.h"

#include <criterion/criterion.h>
#include <string.h>

/* corrupt and clean of line 0, of line 1 the clean one only, and a prompt of no line */
static const struct weir_side prompts[] = {{"corrupt", 0}, {"clean", 0}, {"clean", 1}, {NULL, 0}};

static struct weir_side side_at(const void *context, size_t prompt)
{
    return ((const struct weir_side *)context)[prompt];
}

static const struct weir_sides sides = {.n = 4, .of = side_at, .context = prompts, .whose = "the run"};

static size_t found(const char *name, size_t own, const char *fields)
{
    size_t number = 99;
    cr_assert_eq(weir_sides_find(&number, &sides, name, &prompts[own], fields), WEIR_OK, "%s", weir_message());
    return number;
}

static void refused(const char *name, size_t own, const char *fields, const char *says)
{
    size_t number;
    cr_expect_neq(weir_sides_find(&number, &sides, name, &prompts[own], fields), WEIR_OK, "%s", name);
    cr_expect(strstr(weir_message(), says), "'%s' for '%s'", weir_message(), says);
}

Test(sides, are_those_of_the_same_line)
{
    cr_expect_eq(found("clean", 0, NULL), 1);
    cr_expect_eq(found("clean", 2, NULL), 2);
    cr_expect_eq(found("corrupt", 1, "{\"corrupt\": 3}"), 0, "a side comes before a field");
    refused("corrupt", 2, NULL, "the run has no side 'corrupt' of line 1");
    refused("clean", 3, NULL, "it is no side of a line of pairs");
}

Test(sides, a_name_that_is_none_is_a_field_with_the_number_of_a_prompt)
{
    cr_expect_eq(found("donor", 3, "{\"donor\": 0}"), 0);
    cr_expect_eq(found("donor", 0, "{\"donor\": 3}"), 3);
    for (size_t i = 0; i < 4; i++) {
        static const char *const wrong[] = {"{\"donor\": 4}", "{\"donor\": -1}", "{\"donor\": 1.5}",
                                            "{\"donor\": \"clean\"}"};
        refused("donor", 0, wrong[i], "its 'donor' is not the number of a prompt of the run: they go from 0 to 3");
    }
    refused("donor", 0, "{\"other\": 1}", "no side 'donor' on its line, and no field of that name");
    refused("donor", 0, NULL, "no side 'donor' on its line, and no field of that name");
    refused("donor", 0, "{\"donor\"", "its fields");
}

Test(sides, mark_every_prompt_of_theirs)
{
    bool marked[4] = {false};
    cr_assert_eq(weir_sides_mark(marked, &sides, &(struct weir_whose){.name = (char *)"clean"}), WEIR_OK);
    cr_expect(!marked[0] && marked[1] && marked[2] && !marked[3]);
    cr_expect_neq(weir_sides_mark(marked, &sides, &(struct weir_whose){.name = (char *)"dirty"}), WEIR_OK);
    cr_expect_str_eq(weir_message(), "no prompt is of side dirty; there are corrupt, clean");
}
