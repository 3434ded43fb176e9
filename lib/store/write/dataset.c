/* Writing a value into its dataset, as it is or chunk by chunk. */
#include "store/write/dataset.h"

#include "base/alloc.h"
#include "tensor/absent.h"
#include "tensor/dtype.h"

#include <string.h>
#include <zlib.h>

enum { GZIP_LEVEL = 1 }; /* the zeros that patterns consist of go at any level */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the store writes values as they are in memory: little-endian machines only"
#endif

uint32_t weir_fill_bits(enum weir_elem elem)
{
    return elem == WEIR_ELEM_I32 ? UINT32_MAX : WEIR_ABSENT_F32;
}

/* ---- making ---- */

/* NaN or -1 in the type of the file. */
static herr_t set_fill(hid_t dcpl, enum weir_elem elem, hid_t type)
{
    uint32_t wide = weir_fill_bits(elem);
    uint16_t half = elem == WEIR_ELEM_F16 ? WEIR_ABSENT_F16 : WEIR_ABSENT_BF16;
    return H5Pset_fill_value(dcpl, type, weir_elem_size(elem) == 2 ? (const void *)&half : (const void *)&wide);
}

static herr_t set_storage(hid_t dcpl, const struct weir_layout *layout)
{
    hsize_t chunk[WEIR_MAX_RANK];
    for (int a = 0; a < layout->rank; a++)
        chunk[a] = layout->chunk[a];
    if (layout->contiguous) /* all of it will be written: zeros first would double the work */
        return H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY) < 0 || H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER) < 0 ? -1
                                                                                                                    : 0;
    if (H5Pset_chunk(dcpl, layout->rank, chunk) < 0 || H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_INCR) < 0)
        return -1;
    return layout->gzip && (H5Pset_shuffle(dcpl) < 0 || H5Pset_deflate(dcpl, GZIP_LEVEL) < 0) ? -1 : 0;
}

static weir_status create_dataset(struct weir_dataset *out, hid_t group, const char *name, const char *path)
{
    const struct weir_layout *layout = &out->layout;
    hsize_t shape[WEIR_MAX_RANK];
    for (int a = 0; a < layout->rank; a++)
        shape[a] = layout->shape[a];
    hid_t type = weir_h5_type(layout->elem, 0), space = H5Screate_simple(layout->rank, shape, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    if (type >= 0 && space >= 0 && dcpl >= 0 && set_fill(dcpl, layout->elem, type) >= 0 &&
        set_storage(dcpl, layout) >= 0)
        out->id = H5Dcreate2(group, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    weir_status status = out->id >= 0 ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, path, name);
    weir_h5_close(&type);
    weir_h5_close(&space);
    weir_h5_close(&dcpl);
    return status;
}

weir_status weir_dataset_make(struct weir_dataset *out, hid_t group, const char *name, const struct weir_layout *layout,
                              const char *path)
{
    *out = (struct weir_dataset){.id = H5I_INVALID_HID, .layout = *layout};
    int pad = 3 - (layout->rank - layout->n_lead);
    for (int a = 0; a < 3; a++) {
        out->shape[a] = a < pad ? 1 : layout->shape[layout->n_lead + a - pad];
        out->chunk[a] = a < pad ? 1 : layout->chunk[layout->n_lead + a - pad];
    }
    TRY(weir_alloc_zero(&out->seen, weir_layout_lead(layout), sizeof *out->seen));
    TRY(create_dataset(out, group, name, path));
    if (!layout->contiguous)
        return WEIR_OK;
    haddr_t offset = H5Dget_offset(out->id);
    if (offset == HADDR_UNDEF)
        return weir_h5_fail(WEIR_E_OUTPUT, path, "no space could be reserved");
    out->offset = offset;
    return WEIR_OK;
}

void weir_dataset_close(struct weir_dataset *dataset)
{
    weir_h5_close(&dataset->id);
    weir_free(dataset->seen);
    dataset->seen = NULL;
}

static size_t chunk_values(const struct weir_dataset *dataset)
{
    return dataset->chunk[0] * dataset->chunk[1] * dataset->chunk[2];
}

weir_status weir_scratch_open(struct weir_scratch *out, const struct weir_dataset *datasets, size_t n)
{
    bool gzip = false;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        size_t values = chunk_values(&datasets[i]);
        out->n = values > out->n ? values : out->n;
        gzip = gzip || datasets[i].layout.gzip;
    }
    TRY(weir_alloc_aligned(&out->values, out->n, sizeof *out->values));
    TRY(weir_alloc_aligned(&out->halves, out->n, sizeof *out->values));
    if (!gzip)
        return WEIR_OK;
    out->n_packed = compressBound((uLong)(out->n * sizeof *out->values));
    return weir_alloc(&out->packed, out->n_packed, 1);
}

void weir_scratch_close(struct weir_scratch *scratch)
{
    weir_free(scratch->values);
    weir_free(scratch->halves);
    weir_free(scratch->packed);
}

/* ---- writing ---- */

/* n values in the type of the file: themselves where it is 32 bits wide. */
static const void *convert_to_file(struct weir_dataset *dataset, const weir_bits *values, size_t n,
                                   struct weir_scratch *scratch)
{
    uint16_t *halves = (uint16_t *)(void *)scratch->halves;
    if (dataset->layout.elem == WEIR_ELEM_F16)
        dataset->saturated += weir_f32_to_f16(halves, (const float *)(const void *)values, n);
    else if (dataset->layout.elem == WEIR_ELEM_BF16)
        weir_f32_to_bf16(halves, (const float *)(const void *)values, n);
    else
        return values;
    return halves;
}

/* Where a box begins in the file, for contiguous datasets. */
static uint64_t box_offset(const struct weir_dataset *dataset, size_t lead, const struct weir_slab_box *box)
{
    const size_t *shape = dataset->shape;
    uint64_t at = ((uint64_t)lead * shape[0] + box->start[0]) * shape[1] + box->start[1];
    return dataset->offset + (at * shape[2] + box->start[2]) * weir_elem_size(dataset->layout.elem);
}

static size_t count_box_values(const struct weir_slab_box *box)
{
    return box->count[0] * box->count[1] * box->count[2];
}

/* Puts byte k of every value together, as HDF5's shuffle filter does. */
static const uint8_t *shuffle(uint8_t *to, const uint8_t *from, size_t n, size_t size)
{
    for (size_t k = 0; k < size; k++)
        for (size_t i = 0; i < n; i++)
            to[k * n + i] = from[i * size + k];
    return to;
}

/* Applies HDF5's filters to the chunk. *data and *bytes are replaced. */
static weir_status compress_chunk(const void **data, size_t *bytes, size_t elem_size, struct weir_scratch *scratch,
                                  const char *path)
{
    /* the values come from one of the two work spaces or from the caller: shuffle into one that they are not in */
    uint8_t *to = *data == scratch->halves ? (uint8_t *)scratch->values : scratch->halves;
    const uint8_t *shuffled = shuffle(to, *data, *bytes / elem_size, elem_size);
    uLongf packed = (uLongf)scratch->n_packed;
    if (compress2(scratch->packed, &packed, shuffled, (uLong)*bytes, GZIP_LEVEL) != Z_OK)
        return weir_fail(WEIR_E_OUTPUT, "%s: zlib could not compress %zu bytes", path, *bytes);
    *data = scratch->packed;
    *bytes = packed;
    return WEIR_OK;
}

static void chunk_offset(hsize_t out[WEIR_MAX_RANK], const struct weir_dataset *dataset, size_t lead,
                         const struct weir_slab_box *box)
{
    const struct weir_layout *l = &dataset->layout;
    int n_axes = l->rank - l->n_lead;
    for (int a = l->n_lead - 1; a >= 0; a--) {
        out[a] = lead % l->shape[a];
        lead /= l->shape[a];
    }
    for (int a = 0; a < n_axes; a++)
        out[l->n_lead + a] = box->start[3 - n_axes + a];
}

static weir_status write_chunk(struct weir_dataset *dataset, size_t lead, const struct weir_slab_box *box,
                               const weir_bits *values, struct weir_scratch *scratch, struct weir_output *output)
{
    hsize_t offset[WEIR_MAX_RANK];
    size_t size = weir_elem_size(dataset->layout.elem), bytes = count_box_values(box) * size;
    const void *data = convert_to_file(dataset, values, count_box_values(box), scratch);
    chunk_offset(offset, dataset, lead, box);
    if (dataset->layout.gzip)
        TRY(compress_chunk(&data, &bytes, size, scratch, output->name));
    if (H5Dwrite_chunk(dataset->id, H5P_DEFAULT, 0, offset, bytes, data) < 0)
        return weir_h5_fail(WEIR_E_OUTPUT, output->name, "cannot be written");
    return WEIR_OK;
}

/* Reads the chunk that was written before, so that more can be put into it. Past the edge it is fill. */
static weir_status read_back(struct weir_dataset *dataset, size_t lead, const struct weir_slab_box *box,
                             struct weir_scratch *scratch, const char *path)
{
    const struct weir_layout *l = &dataset->layout;
    hsize_t start[WEIR_MAX_RANK] = {0}, count[WEIR_MAX_RANK], memory[WEIR_MAX_RANK], zero[WEIR_MAX_RANK] = {0};
    chunk_offset(start, dataset, lead, box);
    for (int a = 0; a < l->rank; a++) {
        memory[a] = l->chunk[a];
        count[a] = l->shape[a] - start[a] < memory[a] ? l->shape[a] - start[a] : memory[a];
    }
    for (size_t i = 0; i < count_box_values(box); i++)
        scratch->values[i] = weir_fill_bits(l->elem);
    bool half = weir_elem_size(l->elem) == 2;
    if (half) /* one NaN beyond the edge in either width */
        memset(scratch->halves, 0xff, count_box_values(box) * 2);
    hid_t space = H5Dget_space(dataset->id), mem = H5Screate_simple(l->rank, memory, NULL),
          type = weir_h5_type(l->elem, 0);
    bool fine = space >= 0 && mem >= 0 && type >= 0 &&
                H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                H5Sselect_hyperslab(mem, H5S_SELECT_SET, zero, NULL, count, NULL) >= 0 &&
                H5Dread(dataset->id, type, mem, space, H5P_DEFAULT,
                        half ? (void *)scratch->halves : (void *)scratch->values) >= 0;
    if (fine && half)
        weir_to_f32((float *)(void *)scratch->values, scratch->halves,
                    l->elem == WEIR_ELEM_F16 ? WEIR_T_F16 : WEIR_T_BF16, count_box_values(box));
    weir_status status = fine ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, path, "cannot be added to");
    weir_h5_close(&space);
    weir_h5_close(&mem);
    weir_h5_close(&type);
    return status;
}

/* One piece of a slab: a chunk, or for contiguous datasets a run. */
static weir_status write_box(struct weir_dataset *dataset, size_t lead, const struct weir_gather *gather,
                             struct weir_slab_box *box, struct weir_scratch *scratch, struct weir_output *output)
{
    if (!weir_gather_touches(gather, box))
        return WEIR_OK;
    bool again = dataset->seen[lead] && !dataset->layout.contiguous;
    const weir_bits *values = again ? NULL : weir_gather_direct(gather, box);
    if (!values) {
        if (again)
            TRY(read_back(dataset, lead, box, scratch, output->name));
        weir_gather_box(scratch->values, gather, box, again);
        values = scratch->values;
    }
    if (!dataset->layout.contiguous)
        return write_chunk(dataset, lead, box, values, scratch, output);
    const void *data = convert_to_file(dataset, values, count_box_values(box), scratch);
    return weir_output_write(output, data, count_box_values(box) * weir_elem_size(dataset->layout.elem),
                             box_offset(dataset, lead, box));
}

static weir_status write_boxes(struct weir_dataset *dataset, size_t lead, const struct weir_gather *gather,
                               struct weir_scratch *scratch, struct weir_output *output)
{
    const size_t *shape = dataset->shape, *chunk = dataset->chunk;
    for (size_t i = 0; i < shape[0]; i += chunk[0])
        for (size_t j = 0; j < shape[1]; j += chunk[1])
            for (size_t k = 0; k < shape[2]; k += chunk[2]) {
                struct weir_slab_box box = {{i, j, k}, {chunk[0], chunk[1], chunk[2]}};
                for (int a = 0; a < 3 && dataset->layout.contiguous; a++) /* runs end where the slab does */
                    if (box.count[a] > shape[a] - box.start[a])
                        box.count[a] = shape[a] - box.start[a];
                TRY(write_box(dataset, lead, gather, &box, scratch, output));
            }
    return WEIR_OK;
}

weir_status weir_dataset_write(struct weir_dataset *dataset, size_t lead, const struct weir_gather *gather,
                               struct weir_scratch *scratch, struct weir_output *output)
{
    size_t size = weir_elem_size(dataset->layout.elem);
    weir_status status;
    if (dataset->layout.contiguous && size == 4 && weir_gather_is_whole(gather)) {
        size_t values = dataset->shape[0] * dataset->shape[1] * dataset->shape[2];
        struct weir_slab_box all = {{0, 0, 0}, {0, 0, 0}};
        status = weir_output_write(output, gather->data, values * size, box_offset(dataset, lead, &all));
    } else {
        status = write_boxes(dataset, lead, gather, scratch, output);
    }
    dataset->seen[lead] = true;
    return status;
}
