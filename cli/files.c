#include "cli/commands.h"

#include <string.h>

weir_status prompt_index(int *out, const weir_file *file, const struct args *args, int opt)
{
    int n = weir_file_get_info(file)->n_prompts, given = args_int(args, opt, 0);
    *out = given < 0 ? given + n : given;
    if (*out < 0 || *out >= n)
        return weir_fail(WEIR_E_USAGE, "--prompt: %d is out of range; it goes from 0 to %d", given, n - 1);
    return WEIR_OK;
}

const char *layers_text(char to[64], const bool *layers, int n)
{
    size_t at = 0;
    snprintf(to, 64, "%s", layers ? "none" : "-");
    for (int i = 0; layers && i < n && at < 48; i++) {
        int first = i;
        if (!layers[i])
            continue;
        while (i + 1 < n && layers[i + 1])
            i++;
        at += (size_t)snprintf(to + at, 64 - at, "%s%d", at ? "," : "", first);
        if (i > first)
            at += (size_t)snprintf(to + at, 64 - at, "-%d", i);
        if (at >= 48)
            snprintf(to + at, 64 - at, ",...");
    }
    return to;
}

const char *dtype_text(weir_dtype dtype)
{
    static const char *const names[] = {[WEIR_F32] = "f32", [WEIR_F16] = "f16", [WEIR_BF16] = "bf16"};
    return names[dtype];
}
