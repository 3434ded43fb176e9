/* Files that a run spec names: relative to its own folder. */
#ifndef WEIR_CLI_SPEC_PATHS_H
#define WEIR_CLI_SPEC_PATHS_H

#include "points/edit.h"
#include "points/metric.h"

/* The folder of a file's name with its last slash, in new memory; "" where it has none. */
WEIR_CHECKED weir_status paths_folder(char **out, const char *file);
/* The name as seen from where weir runs, in new memory: relative ones begin in `folder`; "-" stays. */
WEIR_CHECKED weir_status paths_from(char **out, const char *folder, const char *name);
/* The same for a model: a name that is in the folder is of there, any other stays what it is. */
WEIR_CHECKED weir_status paths_model(char **out, const char *folder, const char *name);
/* The text of an edit or a metric with its files from there, in new memory. */
WEIR_CHECKED weir_status paths_edit(char **out, const char *folder, const weir_edit *edit);
WEIR_CHECKED weir_status paths_metric(char **out, const char *folder, const weir_metric *metric);

#endif
