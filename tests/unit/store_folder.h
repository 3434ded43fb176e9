/* A folder for the files of a store, and files of known values in it. */
#ifndef WEIR_UNIT_STORE_FOLDER_H
#define WEIR_UNIT_STORE_FOLDER_H

#include "base/alloc.h"
#include "base/buffer.h"
#include "store/validate.h"
#include "store/write/output.h"
#include "store/write/partial.h"
#include "unit/store_fake.h"

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

static inline void make_folder(void)
{
    strcpy(folder, "/tmp/weir_store_XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/out.h5", folder);
}

/* How many entries the folder has. */
static inline int entries(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static bool disk_was_full; /* libhdf5 1.10.8 cannot close a file whose metadata it could not write */

static inline void remove_folder(void)
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

static inline void add_points(struct fake *fake)
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
static inline size_t source_of(const struct fake *fake, size_t point, int prompt, const size_t at[WEIR_MAX_AXES])
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
static inline double rounding(const struct fake *fake)
{
    return fake->spec.dtype == WEIR_F32 ? 0 : fake->spec.dtype == WEIR_F16 ? 1.0 / 2048 : 1.0 / 256;
}

static inline void check_value(const struct fake *fake, const weir_file *file, size_t point, int layer, int prompt)
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

static inline void check_file(const struct fake *fake)
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

#endif
