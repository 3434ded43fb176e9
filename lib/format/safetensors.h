/* safetensors: 8 bytes of header length, a JSON header, the data.
   https://huggingface.co/docs/safetensors (format section). */
#ifndef WEIR_FORMAT_SAFETENSORS_H
#define WEIR_FORMAT_SAFETENSORS_H

#include "format/tensors.h"

/* Opens `path`: a .safetensors file, or a *.safetensors.index.json, whose shards are then in its folder. Tensors of
   other types than F64, F32, F16 and BF16 and of more than WEIR_MAX_DIMS dimensions are listed as unread. Checks:
   header within the file, data without overlap, gap or rest, sizes that follow from shape and type, every shard of an
   index there. */
WEIR_CHECKED weir_status weir_safetensors_open(struct weir_tensors **out, const char *path);
/* The same for one .safetensors file in memory, which must outlive it: for tests and fuzzing. `path` is for messages
   and must outlive it too. */
WEIR_CHECKED weir_status weir_safetensors_parse(struct weir_tensors **out, const char *path, const uint8_t *data,
                                                size_t size);

#endif
