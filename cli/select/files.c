/* Finds the prompts that --prompt names. */
#include "cli/select/files.h"

#include "cli/print/say.h"
#include "cli/select/values.h"

#include <stdio.h>
#include <string.h>

static weir_status prompt_in_range(int *out, const weir_file *file, int64_t given)
{
    int n = weir_file_get_info(file)->n_prompts;
    int64_t index = given < 0 ? given + n : given;
    if (index < 0 || index >= n)
        return weir_fail(WEIR_E_USAGE, "--prompt: %lld is out of range; it goes from 0 to %d", (long long)given, n - 1);
    *out = (int)index;
    return WEIR_OK;
}

weir_status prompt_index(int *out, const weir_file *file, const struct args *args, int opt)
{
    return prompt_in_range(out, file, args_int(args, opt, 0));
}

static bool is_all_prompts(const char *text)
{
    return strcmp(text, "all") == 0;
}

weir_status prompt_or_all(int *out, const weir_file *file, const struct args *args, int opt)
{
    const char *text = args->text[opt];
    struct weir_slice number;
    *out = FIRST_PROMPT;
    if (!args->has[opt])
        return WEIR_OK;
    if (is_all_prompts(text)) {
        *out = EVERY_PROMPT;
        return WEIR_OK;
    }
    if (!weir_slice_split(&number, text, text + strlen(text)) || !number.single)
        return weir_fail(WEIR_E_USAGE, "--prompt: '%s' is neither a whole number nor 'all'", text);
    return prompt_in_range(out, file, number.start);
}

const char *prompts_text(const struct args *args, int opt)
{
    return args->has[opt] && !is_all_prompts(args->text[opt]) ? args->text[opt] : "";
}

void say_left_out(size_t n, size_t first, const char *what)
{
    if (n == 1)
        say("weir: note: prompt %zu has no stored positions: %s without it\n", first, what);
    else if (n > 1)
        say("weir: note: %zu prompts have no stored positions, prompt %zu first: %s without them\n", n, first, what);
}

weir_status no_index(const struct weir_selection *selection)
{
    for (size_t i = 0; i < selection->n; i++)
        if (selection->terms[i].index.given)
            return weir_fail(WEIR_E_USAGE, "--prompt: '%s' already names the prompt, as the index %s",
                             selection->terms[i].text, "after the layer's (the first outside the blocks)");
    return WEIR_OK;
}

weir_status with_texts(weir_status status, const weir_file *file)
{
    if (file && (status == WEIR_OK || status == WEIR_E_USAGE))
        TRY(weir_file_check_texts(file));
    return status;
}

const char *dtype_text(weir_dtype dtype)
{
    static const char *const names[] = {[WEIR_F32] = "f32", [WEIR_F16] = "f16", [WEIR_BF16] = "bf16"};
    return names[dtype];
}
