/* safetensors: 8 bytes of header length, a JSON header, the data.
   https://huggingface.co/docs/safetensors (format section). */
#ifndef WEIR_FORMAT_SAFETENSORS_H
#define WEIR_FORMAT_SAFETENSORS_H

#include "format/tensors.h"

/* Opens `path`: a .safetensors file, or a *.safetensors.index.json, whose shards then stand beside it. Tensors of
   integer types (masks, position ids) are left out. Checks: header within the file, offsets in order and without
   overlap, sizes that follow from shape and type, every tensor of an index in the shard it names. */
WEIR_CHECKED weir_status weir_safetensors_open(struct weir_tensors **out, const char *path);

#endif
