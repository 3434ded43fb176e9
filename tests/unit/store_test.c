#include "base/alloc.h"
#include "base/buffer.h"
#include "store/validate.h"
#include "store/write/output.h"
#include "store/write/partial.h"
#include "store_fake.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define OK(expression) cr_assert((expression) == WEIR_OK, "%s", weir_message())

static char folder[64], path[96];

static void make_folder(void)
{
    strcpy(folder, "/tmp/weir_store_XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/out.h5", folder);
}

/* How many entries the folder has. */
static int entries(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static bool disk_was_full; /* libhdf5 1.10.8 cannot close a file whose metadata it could not write */

static void remove_folder(void)
{
    cr_expect(disk_was_full || H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "HDF5 objects are left open");
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' || e->d_name[1] == 'o')
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    rmdir(folder);
}

TestSuite(store, .init = make_folder, .fini = remove_folder, .timeout = 60);

static const size_t EQUAL[] = {12, 12}, UNEQUAL[] = {5, 150, 1};

static void add_points(struct fake *fake)
{
    fake_add(fake, WEIR_P_RESID_POST);
    fake_add(fake, WEIR_P_PATTERN);
    fake_add(fake, WEIR_P_Z);
    fake_add(fake, WEIR_P_MLP_POST);
    fake_add(fake, WEIR_P_LN1_SCALE);
    fake_add(fake, WEIR_P_EXPERT_INDICES);
    fake_add(fake, WEIR_P_LOGITS);
}

static bool keeps_unit(const struct fake *fake, size_t unit)
{
    bool kept = !fake->units;
    for (size_t i = 0; i < fake->n_units; i++)
        kept = kept || (size_t)fake->units[i] == unit;
    return kept;
}

/* Where the value of a point has the stored element that lies at `at`; SIZE_MAX for none. */
static size_t source_of(const struct fake *fake, size_t point, int prompt, const size_t at[WEIR_MAX_AXES])
{
    const weir_point *p = fake->points[point].point;
    size_t shape[WEIR_MAX_AXES], index = 0;
    fake_size(fake, point, prompt, shape);
    for (int a = 0; a < p->n_axes && a < WEIR_MAX_AXES; a++) {
        size_t i = at[a];
        if (a == weir_point_row_axis(p)) {
            if (i >= fake->prompts[prompt].n_rows)
                return SIZE_MAX;
            i = (size_t)fake->prompts[prompt].positions[i];
        }
        if (i >= shape[a] || (a == weir_point_unit_axis(p) && !keeps_unit(fake, i)))
            return SIZE_MAX;
        index = index * shape[a] + i;
    }
    return index;
}

/* 0 for exact types; else the largest relative error that rounding makes. */
static double rounding(const struct fake *fake)
{
    return fake->spec.dtype == WEIR_F32 ? 0 : fake->spec.dtype == WEIR_F16 ? 1.0 / 2048 : 1.0 / 256;
}

static void check_value(const struct fake *fake, const weir_file *file, size_t point, int layer, int prompt)
{
    const weir_file_point *stored = weir_file_find(file, fake->points[point].point->name);
    cr_assert(stored != NULL);
    size_t n = 1, shape[WEIR_MAX_AXES] = {1, 1, 1}, at[WEIR_MAX_AXES] = {0, 0, 0};
    for (int a = 0; a < stored->point->n_axes; a++) {
        shape[a] = stored->shape[a];
        n *= shape[a];
    }
    float *values = malloc(n * sizeof *values);
    OK(weir_file_read(file, stored, layer, prompt, NULL, values));
    for (size_t i = 0; i < n; i++) {
        at[2] = i % shape[2];
        at[1] = i / shape[2] % shape[1];
        at[0] = i / shape[2] / shape[1];
        size_t from = source_of(fake, point, prompt, at);
        if (from == SIZE_MAX || (layer >= 0 && !fake->layers[layer])) {
            cr_assert(isnan(values[i]), "%s[%zu] is %g, was not stored", stored->point->name, i, (double)values[i]);
            continue;
        }
        double want = (double)fake_value(fake, point, layer, prompt, from), error = fabs((double)values[i] - want);
        cr_assert(error <= rounding(fake) * fabs(want), "%s layer %d prompt %d [%zu] is %g, was %g",
                  stored->point->name, layer, prompt, i, (double)values[i], want);
    }
    free(values);
}

static void check_file(const struct fake *fake)
{
    weir_file *file;
    size_t n_findings;
    OK(weir_file_open(&file, path));
    for (size_t point = 0; point < fake->spec.n_points; point++)
        for (int prompt = 0; (size_t)prompt < fake->spec.n_prompts; prompt++) {
            if (!fake->points[point].point->per_layer)
                check_value(fake, file, point, -1, prompt);
            for (int layer = 0; fake->points[point].point->per_layer && layer < FAKE_LAYERS; layer++)
                check_value(fake, file, point, layer, prompt);
        }
    weir_file_close(file);
    OK(weir_store_validate(path, &n_findings, NULL, NULL));
    cr_assert(n_findings == 0);
}

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

/* ---- what goes wrong ---- */

static struct fake small;

static void open_small(void)
{
    fake_open(&small, EQUAL, 2);
    fake_add(&small, WEIR_P_RESID_POST);
}

static void write_text(const char *where, const char *text)
{
    FILE *f = fopen(where, "w");
    fputs(text, f);
    fclose(f);
}

static bool reads(const char *where, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(where, "r");
    size_t n = fread(got, 1, sizeof got - 1, f);
    fclose(f);
    return n == strlen(text) && strcmp(got, text) == 0;
}

Test(store, refuses_an_output_that_exists_before_doing_anything)
{
    struct weir_store *store;
    open_small();
    write_text(path, "mine");
    cr_assert(weir_store_create(&store, path, &small.spec) == WEIR_E_OUTPUT && !store);
    cr_assert(strstr(weir_message(), "--force"), "%s", weir_message());
    cr_assert(entries() == 1 && reads(path, "mine"));
    small.spec.force = true;
    OK(fake_write(&small, path));
    check_file(&small);
    fake_close(&small);
}

Test(store, does_not_overwrite_a_file_that_appeared_meanwhile)
{
    struct weir_store *store;
    open_small();
    OK(weir_store_create(&store, path, &small.spec));
    OK(fake_put_all(&small, store));
    write_text(path, "theirs");
    cr_assert(weir_store_commit(store) == WEIR_E_OUTPUT);
    weir_store_close(store);
    cr_assert(entries() == 1 && reads(path, "theirs"));
    fake_close(&small);
}

Test(store, closed_before_commit_leaves_nothing)
{
    struct weir_store *store;
    open_small();
    OK(weir_store_create(&store, path, &small.spec));
    OK(fake_put_all(&small, store));
    cr_assert(entries() == 1);
    weir_store_close(store);
    cr_assert(entries() == 0);
    fake_close(&small);
}

Test(store, refuses_folders_that_are_missing_or_cannot_be_written)
{
    struct weir_store *store;
    open_small();
    cr_assert(weir_store_create(&store, "/nowhere/at/all.h5", &small.spec) == WEIR_E_OUTPUT);
    cr_assert(strstr(weir_message(), "/nowhere/at"), "%s", weir_message());
    cr_assert(weir_store_create(&store, "/proc/out.h5", &small.spec) == WEIR_E_OUTPUT, "also for root");
    cr_assert(weir_store_create(&store, folder, &small.spec) == WEIR_E_OUTPUT, "a folder");
    small.spec.force = true;
    cr_assert(weir_store_create(&store, folder, &small.spec) == WEIR_E_OUTPUT, "a folder, with force");
    fake_close(&small);
}

Test(store, removes_what_a_dead_process_left)
{
    char left[160], other[160], held[160];
    open_small();
    snprintf(left, sizeof left, "%s/.out.h5.part-2147483646-0", folder); /* above any pid_max */
    snprintf(other, sizeof other, "%s/.out.h5.part-x", folder);
    snprintf(held, sizeof held, "%s/.out.h5.part-2147483645-0", folder); /* of another container */
    write_text(left, "");
    write_text(other, "");
    write_text(held, "");
    int fd = open(held, O_RDONLY);
    cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
    OK(fake_write(&small, path));
    cr_assert(access(left, F_OK) != 0 && access(other, F_OK) == 0 && access(held, F_OK) == 0);
    close(fd);
    fake_close(&small);
}

Test(store, says_which_value_never_came)
{
    struct weir_store *store;
    open_small();
    OK(weir_store_create(&store, path, &small.spec));
    cr_assert(weir_store_commit(store) == WEIR_E_OUTPUT);
    cr_assert(strstr(weir_message(), "resid_post: layer 0, prompt 0"), "%s", weir_message());
    weir_store_close(store);
    cr_assert(entries() == 0);
    fake_close(&small);
}

Test(store, refuses_values_that_are_not_of_the_plan)
{
    struct weir_store *store;
    float data[FAKE_D_MODEL] = {0};
    const int32_t far[] = {99};
    const size_t one[] = {1};
    struct fake fake;
    fake_open(&fake, one, 1);
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_one_layer(&fake);
    OK(weir_store_create(&store, path, &fake.spec));
    struct weir_store_value value = {.layer = 0, .data = data};
    cr_assert(weir_store_put(store, &value) == WEIR_E_USAGE, "layer 0 is not stored");
    value.layer = 1;
    value.prompt = 7;
    cr_assert(weir_store_put(store, &value) == WEIR_E_USAGE);
    value.prompt = 0;
    value.units = far;
    value.n_units = 1;
    OK(weir_store_put(store, &value)); /* the thread finds it */
    cr_assert(weir_store_commit(store) == WEIR_E_USAGE && strstr(weir_message(), "unit 99"));
    weir_store_close(store);
    cr_assert(entries() == 0);
    fake_close(&fake);
}

/* A disk of so many bytes on `folder`; skips the test where mounting is not allowed. */
static void mount_small(const char *size)
{
    char options[32];
    snprintf(options, sizeof options, "size=%s", size);
    if (mount("none", folder, "tmpfs", 0, options) != 0)
        cr_skip_test("mounting a small disk is not allowed here");
}

Test(store, refuses_a_disk_that_is_too_small_with_both_sizes)
{
    struct weir_store *store;
    mount_small("64k");
    open_small();
    cr_assert(weir_store_create(&store, path, &small.spec) == WEIR_E_OUTPUT);
    cr_assert(strstr(weir_message(), "kB") && strstr(weir_message(), "the disk has"), "%s", weir_message());
    cr_assert(entries() == 0);
    umount(folder);
    fake_close(&small);
}

Test(store, gives_up_cleanly_when_the_disk_fills)
{
    struct weir_store *store;
    struct fake fake;
    char filler[96];
    disk_was_full = true;
    for (int unequal = 0; unequal < 2; unequal++) {
        mount_small("8m");
        fake_open(&fake, unequal ? UNEQUAL : EQUAL, 2);
        fake_add(&fake, WEIR_P_PATTERN);
        fake_add(&fake, WEIR_P_RESID_POST);
        OK(weir_store_create(&store, path, &fake.spec));
        snprintf(filler, sizeof filler, "%s/filler", folder);
        int fd = open(filler, O_CREAT | O_WRONLY, 0600);
        static char zeros[4096];
        while (write(fd, zeros, sizeof zeros) > 0)
            ;
        close(fd);
        weir_status status = fake_put_all(&fake, store);
        if (status == WEIR_OK)
            status = weir_store_commit(store);
        cr_assert(status == WEIR_E_OUTPUT);
        cr_assert(strstr(weir_message(), "No space left on device"), "%s", weir_message());
        weir_store_close(store);
        cr_assert(entries() == 1, "the filler only");
        unlink(filler);
        umount(folder);
        fake_close(&fake);
    }
}

Test(store, survives_every_allocation_failing)
{
    struct fake fake;
    weir_status status = WEIR_E_MEMORY;
    fake_open(&fake, EQUAL, 2);
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_add(&fake, WEIR_P_PATTERN);
    fake.spec.gzip = true;
    fake_add_table(&fake, weir_table_at(WEIR_TABLE_NEXT), 2);
    for (long i = 0; status == WEIR_E_MEMORY; i++) {
        weir_alloc_fail_after(i);
        status = fake_write(&fake, path);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && entries() == 0), "after %ld: %s", i, weir_message());
    }
    weir_alloc_fail_after(-1);
    check_file(&fake);
    for (long i = 0, done = 0; !done; i++) {
        weir_file *file;
        weir_alloc_fail_after(i);
        status = weir_file_open(&file, path);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && !file));
        done = status == WEIR_OK;
        weir_alloc_fail_after(-1);
        weir_file_close(file);
    }
    fake_close(&fake);
}

Test(store, refuses_two_sizes_of_one_dimension)
{
    struct weir_store *store;
    open_small();
    fake_add(&small, WEIR_P_RESID_PRE);
    small.points[1].shape[1] = 7;
    cr_assert(weir_store_create(&store, path, &small.spec) == WEIR_E_UNSUPPORTED);
    cr_assert(strstr(weir_message(), "d_model"), "%s", weir_message());
    cr_assert(entries() == 0);
    fake_close(&small);
}

Test(store, sizes_are_about_right)
{
    struct stat st;
    for (int unequal = 0; unequal < 2; unequal++) {
        struct fake fake;
        fake_open(&fake, unequal ? UNEQUAL : EQUAL, unequal ? 3 : 2);
        fake.spec.force = true;
        add_points(&fake);
        OK(fake_write(&fake, path));
        cr_assert(stat(path, &st) == 0);
        double ratio = (double)weir_store_size(&fake.spec) / (double)st.st_size;
        cr_assert(ratio > 0.8 && ratio < 1.5, "%g of %lld", ratio, (long long)st.st_size);
        fake_close(&fake);
    }
}

/* ---- past the page cache ---- */

enum { LONGEST = (9 << 20) + 5000 };

static uint8_t *numbered(void)
{
    uint8_t *bytes = NULL; /* [LONGEST + 4096] of which none looks like its neighbours */
    OK(weir_alloc_aligned(&bytes, LONGEST + 4096, 1));
    for (size_t i = 0; i < LONGEST + 4096; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return bytes;
}

/* Whether this file system takes writes past the page cache. */
static bool takes_straight(const struct weir_output *out, const uint8_t *aligned)
{
    return out->straight >= 0 && pwrite(out->straight, aligned, 4096, 0) == 4096;
}

Test(store, writes_the_same_bytes_whatever_their_place_and_address)
{
    static const struct {
        size_t bytes, offset, address; /* address: bytes behind an aligned one */
    } cases[] = {{1 << 20, 65536, 0},    {1 << 20, 65537, 0},      {(1 << 20) + 1, 8192, 4},
                 {LONGEST, 12288, 4},    {LONGEST - 3, 12287, 52}, {131072, 4095, 0},
                 {131072 + 4095, 1, 64}, {131071, 0, 0},           {5, 4094, 1}};
    uint8_t *from = numbered(), *to = NULL;
    OK(weir_alloc(&to, LONGEST, 1));
    int fd = open(path, O_RDWR | O_CREAT, 0666);
    struct weir_output out;
    weir_output_open(&out, fd, path, path);
    const bool straight = takes_straight(&out, from);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t n = cases[i].bytes, at = cases[i].offset;
        cr_assert(ftruncate(fd, 0) == 0);
        OK(weir_output_write(&out, from + cases[i].address, n, at));
        cr_expect(lseek(fd, 0, SEEK_END) == (off_t)(at + n), "case %zu: not as long as what was written", i);
        cr_assert(pread(fd, to, n, (off_t)at) == (ssize_t)n);
        cr_expect(memcmp(to, from + cases[i].address, n) == 0, "case %zu", i);
    }
    if (straight)
        cr_expect(out.straight >= 0, "no case is one that the disk does not take");
    weir_output_close(&out);
    close(fd);
    weir_free(from);
    weir_free(to);
}

Test(store, says_why_a_write_past_the_page_cache_ends_early)
{
    uint8_t *from = numbered();
    int fd = open(path, O_RDWR | O_CREAT, 0666);
    struct weir_output out;
    weir_output_open(&out, fd, path, "run.h5");
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(setrlimit(RLIMIT_FSIZE, &(struct rlimit){(1 << 20) + 100, RLIM_INFINITY}) == 0);
    cr_expect(weir_output_write(&out, from, 2 << 20, 0) == WEIR_E_OUTPUT);
    cr_assert(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) == 0);
    cr_expect(strstr(weir_message(), "run.h5: cannot be written: File too large") == weir_message());
    cr_expect(lseek(fd, 0, SEEK_END) == (1 << 20) + 100, "as far as it went");
    weir_output_close(&out);
    close(fd);
    weir_free(from);
}
