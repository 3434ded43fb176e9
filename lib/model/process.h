/* Weight processing by TransformerLens's names: which of it holds for a model, and doing it. */
#ifndef WEIR_MODEL_PROCESS_H
#define WEIR_MODEL_PROCESS_H

#include "model/model.h"

/* Processes the weights of a model whose parts are bound as `text` says (weir_model_options.process), and sets
   model->process. WEIR_E_USAGE for a name that is none, WEIR_E_UNSUPPORTED with the reason where it would change
   what the model computes. */
WEIR_CHECKED weir_status weir_model_process(struct weir_model *model, const char *text);

#endif
