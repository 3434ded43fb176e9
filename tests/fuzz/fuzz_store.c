/* Any bytes as a cache file: validated, opened, and a little of everything in it read. HDF5 itself may fail, or crash:
   what counts is what stands above it in the stack. */
#include "weir.h"

#include "base/alloc.h"
#include "store/read/grids.h"
#include "store/validate.h"

#include <stdlib.h>
#include <unistd.h>

enum { LENGTH = 200000 }; /* every file is filled up to it: HDF5 refuses shorter ones than it expects at once */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(const char *finding, void *payload)
{
    (void)finding;
    (void)payload;
}

static void read_corner(const weir_file *file, const weir_file_point *point)
{
    weir_block block = {{0}, {0}};
    float values[64];
    size_t n = 1;
    for (int a = 0; a < point->point->n_axes; a++) {
        block.count[a] = point->shape[a] < 2 ? point->shape[a] : 2;
        n *= block.count[a];
    }
    if (n > 0 && n <= sizeof values / sizeof *values) {
        weir_status status = weir_file_read(file, point, point->layers ? 0 : -1, 0, &block, values);
        (void)status;
    }
}

static void read_results(const weir_file *file)
{
    struct weir_stored_grid *grids;
    float *values;
    size_t n;
    if (weir_stored_grids_find(&grids, &n, file) != WEIR_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        weir_status status = weir_stored_grid_read(&values, file, &grids[i]);
        (void)status;
        weir_free(values);
    }
    weir_stored_grids_free(grids, n);
}

static void read_all(const weir_file *file)
{
    const weir_file_info *info = weir_file_get_info(file);
    weir_file_prompt prompt;
    read_results(file);
    for (int i = 0; i < info->n_points; i++)
        read_corner(file, weir_file_point_at(file, i));
    for (int i = 0; i < info->n_prompts && i < 4; i++)
        if (weir_file_get_prompt(file, i, &prompt) == WEIR_OK)
            for (size_t k = 0; k < prompt.n; k++)
                if (weir_file_token(file, i, (int)k) == NULL)
                    __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/weir-fuzz-XXXXXX"; /* HDF5 opens nothing that has no real path */
    weir_file *file;
    size_t findings;
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || ftruncate(fd, LENGTH) != 0)
        __builtin_trap();
    close(fd);
    if (weir_store_validate(path, &findings, ignore, NULL) == WEIR_OK && weir_file_open(&file, path) == WEIR_OK) {
        read_all(file);
        weir_file_close(file);
    }
    unlink(path);
    return 0;
}
