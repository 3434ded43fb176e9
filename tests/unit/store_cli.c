/* store_cli CASE OUT: writes a file of known values for tests/python/test_store.py; store_cli validate|describe FILE.
 */
#include "base/status.h"
#include "store/validate.h"
#include "store_fake.h"

#include <stdio.h>
#include <string.h>

static const size_t EQUAL[] = {12, 12}, ONE[] = {23}, UNEQUAL[] = {5, 150, 1};

static const struct {
    const char *name;
    const size_t *lengths;
    size_t n_prompts;
    weir_dtype dtype;
    bool gzip, one_layer, units, rows, next;
} cases[] = {
    {"whole", ONE, 1, WEIR_F32, .next = true},
    {"equal", EQUAL, 2, WEIR_F32, .next = true},
    {"unequal", UNEQUAL, 3, WEIR_F32, .next = true},
    {"f16", EQUAL, 2, WEIR_F16, .next = false},
    {"bf16", EQUAL, 2, WEIR_BF16, .next = false},
    {"bf16_unequal", UNEQUAL, 3, WEIR_BF16, .next = false},
    {"gzip", EQUAL, 2, WEIR_F32, .gzip = true},
    {"gzip_bf16", UNEQUAL, 3, WEIR_BF16, .gzip = true},
    {"one_layer", EQUAL, 2, WEIR_F32, .one_layer = true},
    {"units", UNEQUAL, 3, WEIR_F32, .units = true},
    {"rows", EQUAL, 2, WEIR_F32, .rows = true},
};

static weir_status write_case(size_t i, const char *path)
{
    static const int32_t units[] = {1};
    struct fake fake;
    fake_open(&fake, cases[i].lengths, cases[i].n_prompts);
    fake.spec.dtype = cases[i].dtype;
    fake.spec.gzip = cases[i].gzip;
    if (cases[i].next)
        fake_add_next(&fake, 4);
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_add(&fake, WEIR_P_PATTERN);
    fake_add(&fake, WEIR_P_Z);
    fake_add(&fake, WEIR_P_MLP_POST);
    if (!cases[i].units) {
        fake_add(&fake, WEIR_P_LN1_SCALE);
        fake_add(&fake, WEIR_P_EXPERT_INDICES);
        fake_add(&fake, WEIR_P_LOGITS);
    }
    if (cases[i].one_layer)
        fake_one_layer(&fake);
    if (cases[i].rows)
        fake_rows(&fake, 2, 3);
    if (cases[i].units)
        fake_units(&fake, units, 1, "0.1+1.1+2.1");
    weir_status status = fake_write(&fake, path);
    fake_close(&fake);
    return status;
}

static int report(weir_status status)
{
    if (status != WEIR_OK)
        fprintf(stderr, "store_cli: %s\n", weir_message());
    return (int)status;
}

static void print_finding(const char *finding, void *payload)
{
    (void)payload;
    printf("%s\n", finding);
}

/* 1 when there are findings. */
static int validate(const char *path)
{
    size_t n;
    weir_status status = weir_store_validate(path, &n, print_finding, NULL);
    return status != WEIR_OK ? report(status) : n > 0;
}

static int describe(const char *path)
{
    cJSON *root;
    weir_status status = weir_store_describe(&root, path);
    char *text = status == WEIR_OK ? cJSON_Print(root) : NULL;
    if (text)
        puts(text);
    cJSON_free(text);
    cJSON_Delete(root);
    return report(status);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0)
            return report(write_case(i, argv[2]));
    if (strcmp(argv[1], "validate") == 0)
        return validate(argv[2]);
    return strcmp(argv[1], "describe") == 0 ? describe(argv[2]) : 2;
}
