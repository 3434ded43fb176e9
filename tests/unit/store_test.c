/* Files of a store as they are written and read back. */
#include "unit/store_folder.h"

static void round_trip(struct fake *fake)
{
    OK(fake_write(fake, path));
    cr_assert(entries() == 1, "only the file is left");
    check_file(fake);
    fake_close(fake);
}

Test(store, gives_back_what_was_put_in_every_type)
{
    for (int dtype = WEIR_F32; dtype <= WEIR_BF16; dtype++)
        for (int unequal = 0; unequal < 2; unequal++) {
            struct fake fake;
            fake_open(&fake, unequal ? UNEQUAL : EQUAL, unequal ? 3 : 2);
            fake.spec.dtype = (weir_dtype)dtype;
            fake.spec.force = true;
            add_points(&fake);
            round_trip(&fake);
        }
}

Test(store, compresses_patterns_and_reads_them_back)
{
    for (int dtype = WEIR_F32; dtype <= WEIR_BF16; dtype++) {
        struct fake fake;
        fake_open(&fake, UNEQUAL, 3);
        fake.spec.dtype = (weir_dtype)dtype;
        fake.spec.gzip = fake.spec.force = true;
        add_points(&fake);
        round_trip(&fake);
    }
}

Test(store, keeps_rows_that_were_asked_for_and_nothing_else)
{
    struct fake fake;
    fake_open(&fake, UNEQUAL, 3);
    add_points(&fake);
    fake_rows(&fake, 1, 4);
    round_trip(&fake);
}

/* How HDF5 stores a point of the file. */
static H5D_layout_t layout_of(const char *point)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), group = H5Gopen2(file, "activations", H5P_DEFAULT);
    hid_t dataset = H5Dopen2(group, point, H5P_DEFAULT), dcpl = H5Dget_create_plist(dataset);
    H5D_layout_t layout = H5Pget_layout(dcpl);
    H5Pclose(dcpl);
    H5Dclose(dataset);
    H5Gclose(group);
    H5Fclose(file);
    return layout;
}

Test(store, is_contiguous_where_nothing_can_be_missing_and_nowhere_else)
{
    static const size_t unequal[] = {5, 9};
    struct fake fake;
    fake_open(&fake, EQUAL, 2);
    add_points(&fake);
    round_trip(&fake);
    cr_expect_eq(layout_of("pattern"), H5D_CONTIGUOUS);
    cr_expect_eq(layout_of("z"), H5D_CONTIGUOUS);
    fake_open(&fake, unequal, 2);
    fake.spec.force = true;
    add_points(&fake);
    fake.prompts[0].n_rows = fake.prompts[1].n_rows = 3; /* as many rows of each, and the first has fewer keys */
    round_trip(&fake);
    cr_expect_eq(layout_of("pattern"), H5D_CHUNKED);
    cr_expect_eq(layout_of("z"), H5D_CONTIGUOUS);
    fake_open(&fake, EQUAL, 2);
    fake.spec.force = true;
    add_points(&fake);
    fake_one_layer(&fake);
    round_trip(&fake);
    cr_expect_eq(layout_of("z"), H5D_CHUNKED);
    cr_expect_eq(layout_of("logits"), H5D_CONTIGUOUS);
}

Test(store, keeps_single_heads_and_neurons)
{
    static const int32_t units[] = {0, 3};
    struct fake fake;
    fake_open(&fake, EQUAL, 2);
    fake_add(&fake, WEIR_P_PATTERN);
    fake_add(&fake, WEIR_P_Z);
    fake_add(&fake, WEIR_P_MLP_POST);
    fake_units(&fake, units, 2, "0.0+0.3+1.0+1.3+2.0+2.3");
    round_trip(&fake);
}

Test(store, keeps_one_layer_of_three)
{
    struct fake fake;
    fake_open(&fake, EQUAL, 2);
    add_points(&fake);
    fake_one_layer(&fake);
    round_trip(&fake);
}

Test(store, reads_a_block_of_a_value)
{
    struct fake fake;
    weir_file *file;
    weir_block block = {{1, 2, 3}, {2, 3, 4}};
    float got[24];
    fake_open(&fake, UNEQUAL, 3);
    fake.spec.dtype = WEIR_F16;
    fake_add(&fake, WEIR_P_Z);
    OK(fake_write(&fake, path));
    OK(weir_file_open(&file, path));
    cr_assert(weir_file_read(file, weir_file_point_at(file, 0), 1, 1, &block, got) == WEIR_E_USAGE, "4 heads only");
    block.count[1] = 2;
    OK(weir_file_read(file, weir_file_point_at(file, 0), 1, 1, &block, got));
    for (size_t i = 0; i < 16; i++) {
        size_t from = ((1 + i / 8) * FAKE_HEADS + 2 + i / 4 % 2) * FAKE_D_HEAD + 3 + i % 4;
        cr_assert(fabsf(got[i] - fake_value(&fake, 0, 1, 1, from)) < 0.01f);
    }
    weir_file_close(file);
    fake_close(&fake);
}

Test(store, knows_its_prompts_tokens_and_next_tokens)
{
    struct fake fake;
    weir_file *file;
    weir_file_prompt prompt;
    int32_t ids[20];
    float logits[20];
    fake_open(&fake, UNEQUAL, 3);
    fake_add_next(&fake, 4);
    fake_add(&fake, WEIR_P_RESID_POST);
    OK(fake_write(&fake, path));
    OK(weir_file_open(&file, path));
    const weir_file_info *info = weir_file_get_info(file);
    cr_assert(info->n_prompts == 3 && info->n_key == 150 && info->n_next == 4 && info->n_layers == FAKE_LAYERS);
    cr_assert_str_eq(info->model, "fake");
    OK(weir_file_get_prompt(file, 0, &prompt));
    cr_assert(prompt.n == 5 && prompt.n_rows == 5 && prompt.ids[4] == 12 && prompt.loss == 2.5f);
    cr_assert_str_eq(prompt.text, "h\xc3\xa9llo");
    cr_assert_str_eq(weir_file_token(file, 0, 0), " \xc3\xa9"
                                                  "0");
    cr_assert_str_eq(weir_file_token(file, 0, 4), "t12");
    cr_assert_str_eq(weir_file_token(file, 0, 5), "");
    OK(weir_file_next(file, 0, ids, logits, NULL));
    cr_assert(ids[19] == 19 && logits[19] == 7.0f);
    OK(weir_file_get_prompt(file, 1, &prompt));
    cr_assert(prompt.text == NULL);
    cr_assert(weir_file_get_prompt(file, 3, &prompt) == WEIR_E_USAGE);
    weir_file_close(file);
    fake_close(&fake);
}

/* The described dataset's shape, as "[3, 150]". */
static const char *described_shape(const cJSON *root, const char *name)
{
    static char text[64];
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "datasets"), name);
    cr_assert_not_null(set, "%s is not in the file", name);
    cr_assert(cJSON_PrintPreallocated(cJSON_GetObjectItemCaseSensitive(set, "shape"), text, sizeof text, false));
    return text;
}

/* What a later analysis would add: nothing but a description of its own. */
static const struct weir_table_kind RESULTS[] = {
    {.name = "score",
     .group = "/results",
     .n_columns = 1,
     .columns = {{"/results/score", WEIR_ELEM_F32, 1, {WEIR_AXIS_PROMPT}, false, "nats"}}},
    {.name = "saliency",
     .group = "/results",
     .n_columns = 2,
     .columns = {{"/results/saliency", WEIR_ELEM_F32, 2, {WEIR_AXIS_PROMPT, WEIR_AXIS_POS}, false, NULL},
                 {"/results/target", WEIR_ELEM_I32, 2, {WEIR_AXIS_PROMPT, WEIR_AXIS_POS}, false, NULL}}},
};

/* Each value where it belongs, and -1 past the end of a shorter prompt. */
static void check_results(const struct fake *fake)
{
    int32_t target[3][150];
    float score[3];
    uint32_t bits;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t targets = H5Dopen2(file, "/results/target", H5P_DEFAULT),
          scores = H5Dopen2(file, "/results/score", H5P_DEFAULT);
    cr_assert(H5Dread(targets, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, target) >= 0);
    cr_assert(H5Dread(scores, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, score) >= 0);
    for (int prompt = 0; prompt < 3; prompt++) {
        memcpy(&bits, &score[prompt], sizeof bits);
        cr_assert_eq(bits, fake_column_value(&fake->tables[0], 0, prompt, 0));
        for (size_t i = 0; i < 150; i++)
            cr_assert_eq(target[prompt][i], i < fake->prompts[prompt].n_rows
                                                ? (int32_t)fake_column_value(&fake->tables[1], 1, prompt, i)
                                                : -1);
    }
    H5Dclose(targets);
    H5Dclose(scores);
    H5Fclose(file);
}

Test(store, writes_a_table_it_knows_nothing_of_as_it_is_described)
{
    struct fake fake;
    size_t n_findings;
    cJSON *root;
    fake_open(&fake, UNEQUAL, 3);
    fake_add(&fake, WEIR_P_RESID_POST);
    for (size_t i = 0; i < sizeof RESULTS / sizeof *RESULTS; i++)
        fake_add_table(&fake, &RESULTS[i], 1);
    OK(fake_write(&fake, path));
    OK(weir_store_describe(&root, path));
    cr_assert_str_eq(described_shape(root, "/results/score"), "[3]");
    cr_assert_str_eq(described_shape(root, "/results/saliency"), "[3,150]");
    cr_assert_str_eq(described_shape(root, "/results/target"), "[3,150]");
    cJSON_Delete(root);
    check_results(&fake);
    OK(weir_store_validate(path, &n_findings, NULL, NULL));
    cr_assert_eq(n_findings, 0);
    fake_close(&fake);
}

Test(store, refuses_tables_and_prompts_that_it_was_not_made_for)
{
    struct fake fake;
    struct weir_store *store;
    float loss = 1;
    const void *const columns[] = {&loss};
    fake_open(&fake, EQUAL, 2);
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_add_table(&fake, weir_table_at(WEIR_TABLE_LOSS), 1);
    OK(weir_store_create(&store, path, &fake.spec));
    cr_assert_eq(weir_store_put_table(store, 1, 0, columns), WEIR_E_USAGE);
    cr_assert_eq(weir_store_put_table(store, 0, 2, columns), WEIR_E_USAGE);
    OK(weir_store_put_table(store, 0, 1, columns));
    weir_store_close(store);
    fake_close(&fake);
}

/* One value of resid_post [1, d_model] with data of the caller's. */
static void put_row(struct weir_store *store, const float *data, const int32_t *units, size_t n_units)
{
    struct weir_store_value value = {.layer = 1, .data = data, .units = units, .n_units = n_units};
    OK(weir_store_put(store, &value));
}

Test(store, saturates_f16_and_counts_it)
{
    struct fake fake;
    struct weir_store *store;
    weir_file *file;
    float data[FAKE_D_MODEL] = {1e6f, -1e6f, INFINITY, -INFINITY, 65504.0f}, got[FAKE_D_MODEL];
    const size_t one[] = {1};
    fake_open(&fake, one, 1);
    fake.spec.dtype = WEIR_F16;
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_one_layer(&fake);
    OK(weir_store_create(&store, path, &fake.spec));
    put_row(store, data, NULL, 0);
    OK(weir_store_commit(store));
    cr_assert(weir_store_saturated(store) == 2);
    weir_store_close(store);
    OK(weir_file_open(&file, path));
    const weir_file_point *point = weir_file_find(file, "resid_post");
    cr_assert(point->saturated == 2 && !point->layers[0] && point->layers[1]);
    OK(weir_file_read(file, point, 1, 0, NULL, got));
    cr_assert(got[0] == 65504.0f && got[1] == -65504.0f && got[2] == INFINITY && got[3] == -INFINITY);
    weir_file_close(file);
    fake_close(&fake);
}

Test(store, adds_to_a_value_that_came_in_two_parts)
{
    struct fake fake;
    struct weir_store *store;
    weir_file *file;
    float first[FAKE_D_MODEL], second[FAKE_D_MODEL], got[FAKE_D_MODEL];
    const size_t one[] = {1};
    const int32_t low[] = {1}, high[] = {2, 30};
    for (int i = 0; i < FAKE_D_MODEL; i++) {
        first[i] = 1.0f;
        second[i] = 2.0f;
    }
    fake_open(&fake, one, 1);
    fake.spec.dtype = WEIR_BF16;
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_one_layer(&fake);
    fake_units(&fake, low, 1, "1.1+1.2+1.30");
    OK(weir_store_create(&store, path, &fake.spec));
    put_row(store, first, low, 1);
    put_row(store, second, high, 2);
    OK(weir_store_commit(store));
    weir_store_close(store);
    OK(weir_file_open(&file, path));
    OK(weir_file_read(file, weir_file_point_at(file, 0), 1, 0, NULL, got));
    cr_assert(got[1] == 1.0f && got[2] == 2.0f && got[30] == 2.0f && isnan(got[0]) && isnan(got[31]));
    weir_file_close(file);
    fake_close(&fake);
}
