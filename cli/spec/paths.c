/* Names of files, from a spec's folder to that in which weir runs. */
#include "cli/spec/paths.h"

#include "base/alloc.h"
#include "points/reading.h"

#include <string.h>
#include <unistd.h>

weir_status paths_folder(char **out, const char *file)
{
    const char *slash = strrchr(file, '/');
    return weir_copy_bytes(out, file, slash ? (size_t)(slash + 1 - file) : 0);
}

weir_status paths_from(char **out, const char *folder, const char *name)
{
    bool stays = name[0] == '/' || strcmp(name, "-") == 0;
    return weir_format(out, "%s%s", stays ? "" : folder, name);
}

weir_status paths_model(char **out, const char *folder, const char *name)
{
    TRY(paths_from(out, folder, name));
    if (access(*out, F_OK) == 0)
        return WEIR_OK;
    weir_free(*out);
    return weir_copy_string(out, name);
}

/* ---- texts that name files ---- */

/* Text while it is copied: up to `done` of `from`. */
struct copying {
    const char *from, *folder;
    struct weir_text to;
    size_t done;
};

/* Copies what is in front of the file's name, and its name from the folder. Files come in the order of the text. */
static weir_status copy_moved_name(struct copying *copying, const struct weir_file_name *file)
{
    const char *text = copying->from + file->at;
    struct weir_file_name moved = {0};
    if (!file->path || file->path[0] == '/')
        return WEIR_OK;
    if (strchr(copying->folder, '"') && strchr(copying->folder, '\''))
        return weir_fail(WEIR_E_USAGE, "the spec's folder has both kinds of quotes in its name, so that no file of it "
                                       "can be named here: rename it, or write whole paths");
    bool quoted = *text == '"' || *text == '\'';
    size_t n = quoted ? weir_closed_length(text, text + strlen(text)) : strlen(file->path);
    TRY(weir_text_add(&copying->to, copying->from + copying->done, file->at - copying->done));
    TRY(paths_from(&moved.path, copying->folder, file->path));
    weir_status status = weir_file_name_text(&copying->to, &moved);
    weir_file_name_close(&moved);
    copying->done = file->at + n;
    return status;
}

static weir_status end_copying(char **out, struct copying *copying, weir_status status)
{
    if (status == WEIR_OK)
        status = weir_text_print(&copying->to, "%s", copying->from + copying->done);
    if (status != WEIR_OK)
        weir_text_close(&copying->to);
    *out = copying->to.data;
    return status;
}

weir_status paths_edit(char **out, const char *folder, const weir_edit *edit)
{
    struct copying copying = {.from = edit->text, .folder = folder};
    const struct weir_value *value = edit->value.of ? edit->value.of : &edit->value;
    weir_status status = copy_moved_name(&copying, &value->file);
    if (status == WEIR_OK)
        status = copy_moved_name(&copying, &edit->along);
    return end_copying(out, &copying, status);
}

static weir_status copy_metric_names(struct copying *copying, const struct weir_metric *metric)
{
    TRY(copy_moved_name(copying, &metric->file));
    for (size_t i = 0; i < metric->n_children; i++)
        TRY(copy_metric_names(copying, &metric->children[i]));
    return WEIR_OK;
}

weir_status paths_metric(char **out, const char *folder, const weir_metric *metric)
{
    struct copying copying = {.from = metric->text, .folder = folder};
    return end_copying(out, &copying, copy_metric_names(&copying, metric));
}
