/* safetensors: 8 bytes of header length, a JSON header, the data.
   https://huggingface.co/docs/safetensors (format section). */
#ifndef WEIR_FORMAT_SAFETENSORS_H
#define WEIR_FORMAT_SAFETENSORS_H

#include "format/tensors.h"

/* Opens `path`: a .safetensors file, or a *.safetensors.index.json, whose shards then stand beside it. Tensors of
   integer types (masks, position ids) are left out. Checks: header within the file, data without overlap, gap or rest,
   sizes that follow from shape and type, every tensor of an index in the shard it names. Fails with WEIR_E_UNSUPPORTED
   on other float types (8 bits and fewer, complex) and on more than WEIR_MAX_DIMS dimensions. */
WEIR_CHECKED weir_status weir_safetensors_open(struct weir_tensors **out, const char *path);
/* The same for one .safetensors file in memory, which must outlive it: for tests and fuzzing. `path` is for messages
   and must outlive it too. */
WEIR_CHECKED weir_status weir_safetensors_parse(struct weir_tensors **out, const char *path, const uint8_t *data,
                                                size_t size);

#endif
