#include "points/metric.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static weir_metric *metric;

static void close_metric(void)
{
    weir_metric_close(metric);
    metric = NULL;
}

TestSuite(metric, .fini = close_metric);

static const weir_metric *parse(const char *text)
{
    close_metric();
    weir_status status = weir_metric_parse(&metric, text);
    cr_assert(eq(int, status, WEIR_OK), "%s: %s", text, weir_message());
    cr_expect(eq(str, metric->text, (char *)text));
    return metric;
}

static void describe_tokens(char *text, size_t size, const struct weir_metric *m)
{
    for (size_t i = 0; i < m->n_tokens; i++) {
        const struct weir_metric_token *token = &m->tokens[i];
        const char *format = token->kind == WEIR_TOKEN_BY_FIELD ? "%s%s" : "%s'%s'";
        if (token->kind == WEIR_TOKEN_BY_ID)
            weir_text_append(text, size, "%s%lld", i ? "," : "", (long long)token->id);
        else
            weir_text_append(text, size, format, i ? "," : "", token->text);
    }
}

/* The tree of a metric, with each part's factor in front of it. */
static void describe(char *text, size_t size, const struct weir_metric *m)
{
    weir_text_append(text, size, "%g", m->factor);
    if (m->kind == WEIR_METRIC_MEASURE) {
        weir_text_append(text, size, " %s(%s%s", weir_measure_name(m->measure), m->against.name ? "#" : "",
                         m->against.name ? m->against.name : "");
        describe_tokens(text, size, m);
        weir_text_append(text, size, m->has_positions ? ")@%zu" : ")", m->positions.n);
        weir_text_append(text, size, "%s%s", m->side ? "#" : "", m->side ? m->side : "");
    } else if (m->kind == WEIR_METRIC_PLACE) {
        weir_text_append(text, size, " [%s]", m->place->text);
    } else if (m->kind == WEIR_METRIC_DOT) {
        weir_text_append(text, size, " dot(%s, %s%s%s)", m->place->text, m->file.path, m->file.name ? ":" : "",
                         m->file.name ? m->file.name : "");
    } else if (m->kind != WEIR_METRIC_NUMBER) {
        weir_text_append(text, size, m->kind == WEIR_METRIC_SUM ? " sum{" : " {");
        for (size_t i = 0; i < m->n_children; i++) {
            weir_text_append(text, size, i ? " + " : "");
            describe(text, size, &m->children[i]);
        }
        weir_text_append(text, size, "}");
    }
}

static void is_tree(const char *text, const char *tree)
{
    char found[512] = "";
    describe(found, sizeof found, parse(text));
    cr_expect(eq(str, found, (char *)tree), "%s", text);
}

Test(metric, lines_of_the_documents_parse)
{
    is_tree("logit(answer) - logit(wrong)", "1 {1 logit(answer) + -1 logit(wrong)}");
    is_tree("kl(#base)", "1 kl(#base)");
    is_tree("sum(loss@answer)", "1 sum{1 loss()@1}");
    is_tree("dot(resid_post:6@-1, love.npy)", "1 dot(resid_post:6@-1, love.npy)");
    is_tree("z:5.3@-1", "1 [z:5.3@-1]");
}

Test(metric, measures_take_tokens_by_id_text_and_field)
{
    is_tree("prob(\" Paris\", ' \"London\"', 42 ,answer)", "1 prob(' Paris',' \"London\"',42,answer)");
    is_tree("logprob(\"\\u00e9\\n\\t\\\\\\\"\\'\")", "1 logprob('\u00e9\n\t\\\"'')");
    is_tree("rank(0)@-1", "1 rank(0)@1");
    cr_expect(eq(sz, parse("logit(ab, 'c')")->tokens[1].at, 10));
}

Test(metric, measures_have_positions_and_a_side)
{
    is_tree("loss", "1 loss()");
    is_tree("loss@:", "1 loss()@0");
    is_tree("entropy@0+2:4#clean", "1 entropy()@2#clean");
    is_tree("logit(a)@subject[-1]#'the side'", "1 logit(a)@1#the side");
    is_tree("kl(#clean)@-1#corrupt", "1 kl(#clean)@1#corrupt");
    cr_expect(eq(i64, parse("kl(#3)")->against.numbers.list[0].start, 3));
    cr_expect(eq(str, parse("loss@subject[-1]")->positions.list[0].name, "subject"));
}

Test(metric, parts_have_signs_and_factors)
{
    is_tree("2", "2");
    is_tree("-2.5e1", "-25");
    is_tree("((((1))))", "1");
    is_tree("-logit(a)", "-1 logit(a)");
    is_tree("logit(a)-logit(b)", "1 {1 logit(a) + -1 logit(b)}");
    is_tree("logit(a) -2", "1 {1 logit(a) + -2}");
    is_tree("0.5*logit(a)+-2*logit(b) - -3", "1 {0.5 logit(a) + -2 logit(b) + 3}");
    is_tree("-2 * (logit(a) - 0.5 * logit(b)) + 3", "1 {-2 {1 logit(a) + -0.5 logit(b)} + 3}");
    is_tree("-(3 * (loss))", "-3 loss()");
    is_tree("2 * sum(loss@: - 2 * kl(#base)@1:)", "2 sum{1 {1 loss()@0 + -2 kl(#base)@1}}");
}

Test(metric, places_have_brackets_or_end_at_a_space)
{
    is_tree("[z:5.3@-1#clean] - [z:5.3@-1]", "1 {1 [z:5.3@-1#clean] + -1 [z:5.3@-1]}");
    is_tree("z:5.3@-1 - 2", "1 {1 [z:5.3@-1] + -2}");
    is_tree("0.1*blocks.3.attn.hook_z@1+2", "0.1 [blocks.3.attn.hook_z@1+2]");
    is_tree("[resid_post:-1@sub[0]+'x ]'] + loss", "1 {1 [resid_post:-1@sub[0]+'x ]'] + 1 loss()}");
    is_tree("dot([resid_post:6@-1],'a b.npz':\"R\")", "1 dot(resid_post:6@-1, a b.npz:R)");
}

Test(metric, a_rank_anywhere_has_no_derivative)
{
    cr_expect(weir_metric_lacks_derivative(parse("sum(2 * (loss - rank(a)))")) != NULL);
    cr_expect(weir_metric_lacks_derivative(parse("sum(2 * (loss - prob(a)))")) == NULL);
}

static void refuses(const char *text, const char *where, const char *what)
{
    close_metric();
    cr_expect(eq(int, weir_metric_parse(&metric, text), WEIR_E_USAGE), "%s", text);
    cr_expect(zero(ptr, metric));
    cr_expect(strncmp(weir_message(), where, strlen(where)) == 0, "%s: %s, not %s", text, weir_message(), where);
    cr_expect(strstr(weir_message(), what) != NULL, "%s: %s", text, weir_message());
}

Test(metric, errors_point_at_the_character)
{
    static const struct {
        const char *text, *where, *what;
    } rows[] = {
        {"", "character 1: ", "a part is missing: a number, a measure suc"},
        {"logit", "character 6: ", "a ( is missing: tokens follow, as in logit"},
        {"logit(", "character 7: ", "a token is missing: its id, its text in qu"},
        {"logit()", "character 7: ", "a token is missing: its id, its text in qu"},
        {"logit(answer", "character 13: ", "a ) is missing: it closes the list of toke"},
        {"logit(answer,)", "character 14: ", "a token is missing: its id, its text in qu"},
        {"logit(\"a", "character 7: ", "the quote \" is not closed"},
        {"logit(\"\")", "character 7: ", "the text of a token is empty"},
        {"logit(\"a\\q\")", "character 9: ", "no escape: \\n, \\r, \\t, \\\\, \\\", \\' and \\uNN"},
        {"logit(\"\\ud800\")", "character 8: ", "no escape: \\n, \\r, \\t, \\\\, \\\", \\' and \\uNN"},
        {"logit(99999999999)", "character 7: ", "not the id of a token"},
        {"logit(1.5)", "character 7: ", "not the id of a token"},
        {"logit(-1)", "character 7: ", "a token is missing: its id, its text in qu"},
        {"logti(answer)", "character 1: ", "'logti' is no measure; the nearest: logit"},
        {"foo(answer)", "character 1: ", "'foo' is no measure; there are logit, logp"},
        {"entropyy", "character 1: ", "'entropyy' is no measure and no hook point"},
        {"loss()", "character 5: ", "loss takes nothing in parentheses"},
        {"loss@", "character 6: ", "behind the @ positions are missing, as in "},
        {"loss@x!", "character 6: ", "'x!' is no name of a position: names have "},
        {"loss@-1-logit(a)", "character 6: ", "'-1-logit' is not a position: write a numb"},
        {"loss#0", "character 6: ", "a side is a name, as in logit(answer)#clea"},
        {"loss#", "character 6: ", "# lacks its prompts: a number, a slice or "},
        {"kl", "character 3: ", "a ( is missing: kl takes the prompt that i"},
        {"kl(base)", "character 4: ", "'base)' stands where a # is missing: kl ta"},
        {"kl(#)", "character 5: ", "# lacks its prompts: a number, a slice or "},
        {"kl(#1:3)", "character 5: ", "one prompt is compared with: its number or"},
        {"kl(#base", "character 9: ", "a ) is missing: it closes kl("},
        {"sum loss", "character 5: ", "'loss' stands where a ( is missing: sum ta"},
        {"sum(loss", "character 9: ", "a ) is missing: it closes sum("},
        {"dot(z:5, love.npy", "character 18: ", "a ) is missing: it closes dot("},
        {"dot(z:5)", "character 8: ", "')' stands where a , is missing: a file fo"},
        {"dot(z*, love.npy)", "character 5: ", "'z*' is no place: it names one hook point,"},
        {"dot(z:5, love)", "character 10: ", "'love' is no file: files have a . or a /, "},
        {"[z:5", "character 1: ", "the bracket [ is not closed"},
        {"[]", "character 2: ", "a place in a metric names its hook point, "},
        {"[:5@-1]", "character 2: ", "a place in a metric names its hook point, "},
        {"z:5@-1*2", "character 5: ", "in 'z:5@-1*2': '-1*2' is not a position: w"},
        {"2 * * loss", "character 5: ", "this is no part of a metric: a number, a m"},
        {"2 loss", "character 3: ", "'loss' is too much: + or - join parts, * f"},
        {"loss * 2", "character 6: ", "'* 2' is too much: + or - join parts, * fo"},
        {"loss + ", "character 8: ", "a part is missing: a number, a measure suc"},
        {"- ", "character 3: ", "a part is missing: a number, a measure suc"},
        {"(loss", "character 6: ", "a ) is missing: it closes a parenthesis"},
        {"loss)", "character 5: ", "')' is too much: + or - join parts, * foll"},
        {"1e999", "character 1: ", "'1e999' is not a number that a double has"},
        {"-inf * loss", "character 2: ", "inf is no value: write a finite number, or"},
        {"nan", "character 1: ", "nan is no value: write a finite number, or"},
        {"zz:3", "character 1: ", "no hook point is called 'zz'; the nearest:"},
        {"logit(answer) - logit(wrong) extra", "character 30: ", "'extra' is too much: + or - join parts, * "},
        {"loss / 2", "character 6: ", "'/ 2' is too much: + or - join parts, * fo"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuses(rows[i].text, rows[i].where, rows[i].what);
    refuses("prob('\u00e9\u4e2d', ?)", "character 12: ", "a token is missing");
    refuses("prob('\xff')", "character 7: ", "not UTF-8");
}

Test(metric, factors_that_multiply_to_infinity_are_refused)
{
    refuses("2 * (1e308 * (1e308 * loss))", "character 14: ", "more than a double has");
}

Test(metric, deep_nesting_is_refused)
{
    char text[4096];
    memset(text, '(', 2000);
    strcpy(text + 2000, "1");
    refuses(text, "character 33: ", "nested");
    text[0] = '\0';
    for (int i = 0; i < 200; i++)
        strcat(text, "sum(");
    refuses(text, "character 133: ", "nested");
    cr_expect(eq(int, weir_metric_parse(&metric, NULL), WEIR_E_USAGE));
    cr_expect(eq(int, weir_metric_parse(NULL, "loss"), WEIR_E_USAGE));
}

Test(metric, every_failed_allocation_is_reported_and_leaks_nothing)
{
    for (long n = 0;; n++) {
        weir_alloc_fail_after(n);
        weir_status status = weir_metric_parse(&metric, "2 * (prob('a\\n', b, 3)@s[-1]+2#clean - kl(#base)@:) + "
                                                        "sum(dot(z:1.2@x, 'a.npz':R) - [q:1@-1#c])");
        weir_alloc_fail_after(-1);
        if (status == WEIR_OK)
            break;
        cr_assert(eq(int, status, WEIR_E_MEMORY), "%ld: %s", n, weir_message());
        cr_assert(zero(ptr, metric));
    }
}
