/* The writer's queue under ThreadSanitizer, which Criterion cannot be run under: values from recycled buffers, more
   than the queue holds, a store closed while its thread writes. */
#include "base/buffer.h"
#include "store_fake.h"

#include <stdio.h>
#include <unistd.h>

enum { ROWS = 1024, PROMPTS = 8, ROUNDS = 20 };

static weir_status put_some(struct weir_store *store, struct weir_buffers *buffers, int n)
{
    for (int i = 0; i < n; i++) {
        weir_buffer *buffer;
        TRY(weir_buffer_take(&buffer, buffers, (size_t)ROWS * FAKE_D_MODEL * 16)); /* 2 MB: the queue fills */
        for (size_t k = 0; k < (size_t)ROWS * FAKE_D_MODEL; k++)
            buffer->data[k] = (float)i;
        struct weir_store_value value = {
            .layer = i % FAKE_LAYERS, .prompt = i / FAKE_LAYERS % PROMPTS, .data = buffer->data, .buffer = buffer};
        weir_status status = weir_store_put(store, &value);
        weir_buffer_release(buffer);
        TRY(status);
    }
    return WEIR_OK;
}

static weir_status one_round(const char *path, int round)
{
    static const size_t lengths[PROMPTS] = {ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS};
    struct fake fake;
    struct weir_store *store = NULL;
    struct weir_buffers *buffers;
    weir_status status;
    fake_open(&fake, lengths, PROMPTS);
    fake.spec.force = true;
    fake.spec.dtype = round % 2 ? WEIR_BF16 : WEIR_F32;
    fake_add(&fake, WEIR_P_RESID_POST);
    TRY(weir_buffers_open(&buffers));
    TRY_DONE(weir_store_create(&store, path, &fake.spec));
    TRY_DONE(put_some(store, buffers, round % 3 ? FAKE_LAYERS * PROMPTS * 8 : 10));
    if (round % 3)
        TRY_DONE(weir_store_commit(store));
done:
    weir_store_close(store);
    weir_buffers_close(buffers);
    fake_close(&fake);
    return status;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "/tmp/weir_store_race.h5";
    for (int i = 0; i < ROUNDS; i++)
        if (one_round(path, i) != WEIR_OK) {
            fprintf(stderr, "store_race: %s\n", weir_message());
            return 1;
        }
    return unlink(path);
}
