#include "store_fake.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libhdf5 1.10.8 loses a little memory of its own when a write or a reference fails. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static const size_t axis_size[WEIR_N_AXES] = {
    [WEIR_AXIS_HEAD] = FAKE_HEADS,      [WEIR_AXIS_KV_HEAD] = FAKE_HEADS / 2, [WEIR_AXIS_D_HEAD] = FAKE_D_HEAD,
    [WEIR_AXIS_D_MODEL] = FAKE_D_MODEL, [WEIR_AXIS_D_MLP] = FAKE_D_MLP,       [WEIR_AXIS_VOCAB] = FAKE_VOCAB,
    [WEIR_AXIS_EXPERT] = FAKE_EXPERTS,  [WEIR_AXIS_EXPERT_K] = FAKE_EXPERT_K, [WEIR_AXIS_D_EXPERT] = FAKE_D_HEAD,
};

static size_t token_text(const void *context, int32_t id, char *text, size_t size)
{
    (void)context;
    return (size_t)snprintf(text, size, id % 5 == 0 ? " \xc3\xa9%d" : "t%d", id);
}

void fake_open(struct fake *fake, const size_t *lengths, size_t n_prompts)
{
    memset(fake, 0, sizeof *fake);
    fake->model = (weir_model_info){.name = "fake",
                                    .path = "/nowhere",
                                    .family = "gpt2",
                                    .format = "none",
                                    .config = "{\"n_layer\": 3}",
                                    .n_layers = FAKE_LAYERS,
                                    .n_heads = FAKE_HEADS,
                                    .n_vocab = FAKE_VOCAB,
                                    .digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < n_prompts; i++) {
        fake->ids[i] = malloc(lengths[i] * sizeof(int32_t));
        fake->positions[i] = malloc(lengths[i] * sizeof(int32_t));
        for (size_t t = 0; t < lengths[i]; t++) {
            fake->ids[i][t] = (int32_t)((i * 7 + t * 3) % FAKE_VOCAB);
            fake->positions[i][t] = (int32_t)t;
        }
        fake->prompts[i] = (struct weir_store_prompt){.ids = fake->ids[i],
                                                      .n = lengths[i],
                                                      .text = i == 1 ? NULL : "h\xc3\xa9llo",
                                                      .n_text = i == 1 ? 0 : 6,
                                                      .positions = fake->positions[i],
                                                      .n_rows = lengths[i]};
    }
    for (int i = 0; i < FAKE_LAYERS; i++)
        fake->layers[i] = true;
    fake->spec = (struct weir_store_spec){.model = &fake->model,
                                          .command = "weir dump --fake",
                                          .prompts = fake->prompts,
                                          .n_prompts = n_prompts,
                                          .points = fake->points,
                                          .tables = fake->tables,
                                          .token_text = token_text};
}

void fake_close(struct fake *fake)
{
    for (size_t i = 0; i < fake->spec.n_prompts; i++) {
        free(fake->ids[i]);
        free(fake->positions[i]);
    }
}

void fake_add(struct fake *fake, enum weir_point_id id)
{
    struct weir_store_point *p = &fake->points[fake->spec.n_points++];
    *p = (struct weir_store_point){.point = weir_point_at((int)id), .whole = true};
    p->layers = p->point->per_layer ? fake->layers : NULL;
    for (int a = 0; a < p->point->n_axes; a++)
        p->shape[a] = axis_size[p->point->axes[a]];
}

void fake_add_table(struct fake *fake, const struct weir_table_kind *table, size_t width)
{
    fake->tables[fake->spec.n_tables++] = (struct weir_planned_table){table, width};
}

void fake_add_next(struct fake *fake, size_t top)
{
    fake_add_table(fake, weir_table_at(WEIR_TABLE_LOSS), 1);
    fake_add_table(fake, weir_table_at(WEIR_TABLE_NEXT), top);
}

void fake_rows(struct fake *fake, size_t first, size_t step)
{
    for (size_t i = 0; i < fake->spec.n_prompts; i++) {
        struct weir_store_prompt *prompt = &fake->prompts[i];
        prompt->n_rows = 0;
        for (size_t t = first; t < prompt->n; t += step)
            fake->positions[i][prompt->n_rows++] = (int32_t)t;
    }
    for (size_t i = 0; i < fake->spec.n_points; i++)
        fake->points[i].whole = false;
}

void fake_one_layer(struct fake *fake)
{
    fake->layers[0] = fake->layers[2] = false;
}

void fake_units(struct fake *fake, const int32_t *units, size_t n, const char *text)
{
    fake->units = units;
    fake->n_units = n;
    for (size_t i = 0; i < fake->spec.n_points; i++) {
        fake->points[i].units = text;
        fake->points[i].n_units = n;
        fake->points[i].whole = false;
    }
}

size_t fake_size(const struct fake *fake, size_t point, int prompt, size_t shape[WEIR_MAX_AXES])
{
    const struct weir_store_point *p = &fake->points[point];
    size_t n = 1;
    for (int a = 0; a < p->point->n_axes; a++) {
        shape[a] = weir_axis_is_position(p->point->axes[a]) ? fake->prompts[prompt].n : p->shape[a];
        n *= shape[a];
    }
    return n;
}

float fake_value(const struct fake *fake, size_t point, int layer, int prompt, size_t i)
{
    const struct weir_store_point *p = &fake->points[point];
    if (p->point->id == WEIR_P_PATTERN) { /* as much on each key up to the query */
        size_t n = fake->prompts[prompt].n, query = i / n % n, key = i % n;
        return key > query ? 0.0f : 1.0f / (float)(query + 1);
    }
    if (p->point->id == WEIR_P_EXPERT_INDICES)
        return (float)((i + (size_t)prompt) % FAKE_EXPERTS);
    return (float)((size_t)(p->point->id * 31 + (layer + 1) * 37 + prompt * 7) + i % 1009) / 64.0f - 8.0f;
}

static weir_status put(struct fake *fake, struct weir_store *store, struct weir_buffers *buffers, size_t point,
                       int layer, int prompt)
{
    size_t shape[WEIR_MAX_AXES], n = fake_size(fake, point, prompt, shape);
    weir_buffer *buffer;
    TRY(weir_buffer_take(&buffer, buffers, n));
    for (size_t i = 0; i < n; i++) {
        float x = fake_value(fake, point, layer, prompt, i);
        int32_t number = (int32_t)x;
        if (fake->points[point].point->id == WEIR_P_EXPERT_INDICES)
            memcpy(&buffer->data[i], &number, sizeof number);
        else
            buffer->data[i] = x;
    }
    struct weir_store_value value = {.point = point,
                                     .layer = layer,
                                     .prompt = prompt,
                                     .data = buffer->data,
                                     .buffer = buffer,
                                     .units = fake->units,
                                     .n_units = fake->n_units};
    weir_status status = weir_store_put(store, &value);
    weir_buffer_release(buffer);
    return status;
}

uint32_t fake_column_value(const struct weir_planned_table *table, int column, int prompt, size_t i)
{
    static const float first[] = {2.5f, 10.0f, -1.0f};
    if (table->table->columns[column].elem == WEIR_ELEM_I32)
        return (uint32_t)(i % FAKE_VOCAB);
    float value =
        weir_table_has_rows(table->table) ? first[column] - (float)(i % table->width) : first[column] + (float)prompt;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static weir_status put_table(struct fake *fake, struct weir_store *store, size_t i, int prompt)
{
    const struct weir_planned_table *table = &fake->tables[i];
    size_t n = weir_table_has_rows(table->table) ? fake->prompts[prompt].n_rows * table->width : 1;
    uint32_t *columns[WEIR_MAX_COLUMNS] = {0};
    for (int c = 0; c < table->table->n_columns; c++) {
        columns[c] = malloc((n + 1) * sizeof(uint32_t));
        for (size_t k = 0; k < n; k++)
            columns[c][k] = fake_column_value(table, c, prompt, k);
    }
    weir_status status = weir_store_put_table(store, i, (size_t)prompt, (const void *const *)columns);
    for (int c = 0; c < WEIR_MAX_COLUMNS; c++)
        free(columns[c]);
    return status;
}

weir_status fake_put_all(struct fake *fake, struct weir_store *store)
{
    struct weir_buffers *buffers;
    weir_status status = WEIR_OK;
    TRY(weir_buffers_open(&buffers));
    for (int prompt = 0; (size_t)prompt < fake->spec.n_prompts; prompt++) {
        for (size_t point = 0; point < fake->spec.n_points; point++) {
            if (!fake->points[point].point->per_layer)
                TRY_DONE(put(fake, store, buffers, point, -1, prompt));
            for (int layer = 0; fake->points[point].point->per_layer && layer < FAKE_LAYERS; layer++)
                if (fake->layers[layer])
                    TRY_DONE(put(fake, store, buffers, point, layer, prompt));
        }
        for (size_t table = 0; table < fake->spec.n_tables; table++)
            TRY_DONE(put_table(fake, store, table, prompt));
    }
done:
    weir_buffers_close(buffers);
    return status;
}

weir_status fake_write(struct fake *fake, const char *path)
{
    struct weir_store *store;
    weir_status status;
    TRY(weir_store_create(&store, path, &fake->spec));
    status = fake_put_all(fake, store);
    if (status == WEIR_OK)
        status = weir_store_commit(store);
    weir_store_close(store);
    return status;
}
