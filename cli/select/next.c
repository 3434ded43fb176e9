/* Reads the likely next tokens of a prompt, and says what they are. */
#include "cli/select/next.h"

#include "base/alloc.h"

weir_status stored_next_read(struct stored_next *out, const weir_file *file, int prompt)
{
    weir_file_prompt stored;
    size_t n;
    *out = (struct stored_next){.prompt = prompt, .n_next = (size_t)weir_file_get_info(file)->n_next};
    TRY(weir_file_get_prompt(file, prompt, &stored));
    out->n_rows = stored.n_rows;
    TRY(weir_mul(&n, stored.n_rows, out->n_next));
    TRY(weir_alloc(&out->ids, n, sizeof *out->ids));
    TRY(weir_alloc(&out->logits, n, sizeof *out->logits));
    TRY(weir_alloc(&out->logprobs, n, sizeof *out->logprobs));
    return weir_file_next(file, prompt, out->ids, out->logits, out->logprobs);
}

void stored_next_close(struct stored_next *next)
{
    weir_free(next->ids);
    weir_free(next->logits);
    weir_free(next->logprobs);
    *next = (struct stored_next){0};
}
