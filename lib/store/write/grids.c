/* Results below /results: one dataset for each, labelled as all others are. */
#include "store/write/grids.h"

#include "base/alloc.h"

#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>

/* ---- attributes ---- */

static bool put_note_of(hid_t dataset, const char *name, hid_t type, hid_t space, const void *data)
{
    hid_t id =
        type >= 0 && space >= 0 ? H5Acreate2(dataset, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : H5I_INVALID_HID;
    bool fine = id >= 0 && H5Awrite(id, type, data) >= 0;
    weir_h5_close(&id);
    weir_h5_close(&type);
    weir_h5_close(&space);
    return fine;
}

static weir_status put_note(hid_t dataset, const struct weir_store_note *note, const char *path)
{
    hsize_t n = note->n;
    bool fine =
        note->text
            ? put_note_of(dataset, note->name, weir_h5_type(WEIR_ELEM_TEXT, 0), H5Screate(H5S_SCALAR), &note->text)
            : put_note_of(dataset, note->name, H5Tcopy(H5T_IEEE_F64LE), H5Screate_simple(1, &n, NULL), note->values);
    return fine ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, path, note->name);
}

/* ---- datasets ---- */

/* Groups on the way are made too. */
static hid_t create_grid(hid_t file, const struct weir_store_grid *grid)
{
    char path[WEIR_LONGEST_PATH];
    hsize_t shape[WEIR_GRID_RANK];
    float absent = NAN;
    for (int a = 0; a < grid->rank; a++)
        shape[a] = grid->shape[a];
    snprintf(path, sizeof path, WEIR_GROUP_RESULTS "/%s", grid->name);
    hid_t id = H5I_INVALID_HID, space = H5Screate_simple(grid->rank, shape, NULL);
    hid_t lcpl = H5Pcreate(H5P_LINK_CREATE), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    if (space >= 0 && lcpl >= 0 && dcpl >= 0 && H5Pset_create_intermediate_group(lcpl, 1) >= 0 &&
        H5Pset_fill_value(dcpl, H5T_IEEE_F32LE, &absent) >= 0)
        id = H5Dcreate2(file, path, H5T_IEEE_F32LE, space, lcpl, dcpl, H5P_DEFAULT);
    weir_h5_close(&space);
    weir_h5_close(&lcpl);
    weir_h5_close(&dcpl);
    return id;
}

static bool label_grid(hid_t file, hid_t dataset, const struct weir_store_grid *grid)
{
    for (int a = 0; a < grid->rank; a++) {
        const char *name = weir_dim_name(grid->dims[a]);
        hid_t scale = H5Dopen2(file, name, H5P_DEFAULT);
        bool fine = scale >= 0 && H5DSattach_scale(dataset, scale, (unsigned)a) >= 0 &&
                    H5DSset_label(dataset, (unsigned)a, name) >= 0;
        weir_h5_close(&scale);
        if (!fine)
            return false;
    }
    return true;
}

static weir_status grid_as_floats(float **out, const struct weir_store_grid *grid)
{
    size_t n = 1;
    for (int a = 0; a < grid->rank; a++)
        TRY(weir_mul(&n, n, grid->shape[a]));
    TRY(weir_alloc(out, n, sizeof **out));
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (float)grid->values[i];
    return WEIR_OK;
}

static weir_status write_grid(hid_t file, const struct weir_store_grid *grid, const char *path)
{
    float *values = NULL;
    hid_t id = H5I_INVALID_HID;
    weir_status status;
    TRY_DONE(grid_as_floats(&values, grid));
    id = create_grid(file, grid);
    if (id < 0 || H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0 ||
        !label_grid(file, id, grid))
        TRY_DONE(weir_h5_fail(WEIR_E_OUTPUT, path, grid->name));
    for (size_t i = 0; i < grid->n_notes; i++)
        TRY_DONE(put_note(id, &grid->notes[i], path));
done:
    weir_h5_close(&id);
    weir_free(values);
    return status;
}

weir_status weir_write_grids(hid_t file, const struct weir_store_spec *spec, const char *path)
{
    for (size_t i = 0; i < spec->n_grids; i++)
        TRY(write_grid(file, &spec->grids[i], path));
    return WEIR_OK;
}
