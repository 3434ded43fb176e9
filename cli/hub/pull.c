/* Fetches what a model needs: the list of files, then each file that the cache does not have. */
#include "cli/hub/pull.h"

#include "cli/hub/http.h"
#include "cli/hub/listing.h"
#include "cli/hub/nearest.h"
#include "cli/hub/refusal.h"
#include "cli/hub/store.h"
#include "cli/print/progress.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"
#include "model/locate.h"

#include <stdio.h>
#include <string.h>

enum { MOST_LISTING = 1 << 26, MOST_TRIES = 2 };

struct pull {
    char *name;
    const char *revision;
    struct hub_settings settings;
    struct http *http;
    struct hub_listing listing;
    struct hub_store store;
    struct hub_pulled *pulled;
    struct progress progress;
    uint64_t before; /* bytes of the files before this one that came over the network */
};

/* A file as the hub describes it. */
struct remote {
    const char *name; /* of the listing */
    char *url, *etag;
    uint64_t size;
};

/* ---- what there is ---- */

static weir_status take_text(void *payload, const struct http_answer *answer, bool first, const char *bytes, size_t n)
{
    struct weir_text *text = payload;
    (void)answer;
    if (first)
        text->n = 0;
    if (text->n + n > MOST_LISTING)
        return weir_fail(WEIR_E_INPUT, "the list of files is longer than %d MB", MOST_LISTING >> 20);
    return weir_text_add(text, bytes, n);
}

/* Asks for a text. `missing` becomes whether it is the revision that is not there, which is no failure here. */
static weir_status ask_for_text(struct pull *pull, struct weir_text *text, const char *url, bool *missing)
{
    struct http_answer answer;
    weir_status status =
        http_ask(pull->http, &answer, &(struct http_request){.url = url, .take = take_text, .payload = text});
    status = weir_in(status, pull->name);
    *missing = status == WEIR_OK && hub_lacks_revision(&answer);
    if (status == WEIR_OK && !*missing)
        status = hub_refusal(&answer, &pull->settings, pull->name, url);
    http_answer_close(&answer);
    return status;
}

/* Names the branches and tags nearest to one that is not there. What cannot be read of them is not worth a message. */
static weir_status no_revision_there(struct pull *pull)
{
    char *url = NULL, near[512];
    struct weir_text text = {0};
    struct hub_nearest nearest = {0};
    cJSON *root = NULL;
    const cJSON *item;
    bool missing;
    if (weir_format(&url, "%s/api/models/%s/refs", pull->settings.endpoint, pull->name) == WEIR_OK &&
        ask_for_text(pull, &text, url, &missing) == WEIR_OK && text.data &&
        weir_json_parse(&root, url, text.data, text.n) == WEIR_OK) {
        static const char *const kinds[] = {"branches", "tags"};
        for (size_t i = 0; i < 2; i++)
            cJSON_ArrayForEach(item, weir_json_get(root, kinds[i]))
            {
                const char *name = cJSON_GetStringValue(weir_json_get(item, "name"));
                if (name)
                    hub_nearest_add(&nearest, pull->revision, name);
            }
    }
    hub_nearest_text(near, sizeof near, &nearest);
    weir_status status =
        weir_fail(WEIR_E_INPUT, "%s: has no branch, tag or commit %s; the nearest branches and tags: %s", pull->name,
                  pull->revision, near);
    cJSON_Delete(root);
    weir_text_close(&text);
    weir_free(url);
    return status;
}

/* The list of files at the revision, and the commit that it stands for. */
static weir_status list_files(struct pull *pull)
{
    char *revision = NULL, *url = NULL;
    struct weir_text text = {0};
    bool missing = false;
    weir_status status;
    TRY_DONE(http_escape(&revision, pull->revision, false));
    TRY_DONE(
        weir_format(&url, "%s/api/models/%s/revision/%s?blobs=true", pull->settings.endpoint, pull->name, revision));
    TRY_DONE(ask_for_text(pull, &text, url, &missing));
    TRY_DONE(missing ? no_revision_there(pull)
                     : hub_listing_read(&pull->listing, url, text.data ? text.data : "", text.n));
done:
    weir_text_close(&text);
    weir_free(revision);
    weir_free(url);
    return status;
}

/* The ETag without W/ and quotes. */
static weir_status plain_etag(char **out, const char *etag)
{
    if (strncmp(etag, "W/", 2) == 0)
        etag += 2;
    etag += strspn(etag, "\"");
    return weir_copy_bytes(out, etag, strcspn(etag, "\""));
}

/* The size that an answer to HEAD gives. */
static weir_status read_size(uint64_t *size, const struct http_answer *answer, const struct hub_file *file)
{
    const char *line = answer->lines[HTTP_LINKED_SIZE];
    bool plain = !answer->lines[HTTP_ENCODING] || strcmp(answer->lines[HTTP_ENCODING], "identity") == 0;
    if (!line && answer->code == 200 && plain)
        line = answer->lines[HTTP_LENGTH];
    int64_t n = line ? http_number(line) : file->size;
    if (n < 0)
        return weir_fail(WEIR_E_INPUT, "%s: the hub gives '%.40s' as its size", file->name, line ? line : "nothing");
    *size = (uint64_t)n;
    return WEIR_OK;
}

static weir_status read_remote(struct remote *remote, const struct pull *pull, const struct http_answer *answer,
                               const struct hub_file *file)
{
    const char *etag = answer->lines[HTTP_LINKED_ETAG] ? answer->lines[HTTP_LINKED_ETAG] : answer->lines[HTTP_ETAG];
    const char *commit = answer->lines[HTTP_COMMIT];
    if (!etag || !commit)
        return weir_fail(WEIR_E_INPUT, "%s: answers without %s: is HF_ENDPOINT a hub?", remote->url,
                         etag ? "X-Repo-Commit" : "an ETag");
    if (strcmp(commit, pull->listing.commit) != 0)
        return weir_fail(WEIR_E_INPUT, "%s: answers with commit %.40s, which was not asked for", remote->url, commit);
    TRY(plain_etag(&remote->etag, etag));
    return read_size(&remote->size, answer, file);
}

/* Asks for the size and the ETag of a file. */
static weir_status ask_about_file(struct remote *remote, struct pull *pull, const struct hub_file *file)
{
    struct http_answer answer = {0};
    char *name = NULL;
    weir_status status;
    remote->name = file->name;
    TRY_DONE(http_escape(&name, file->name, true));
    TRY_DONE(weir_format(&remote->url, "%s/%s/resolve/%s/%s", pull->settings.endpoint, pull->name, pull->listing.commit,
                         name));
    TRY_DONE(
        weir_in(http_ask(pull->http, &answer, &(struct http_request){.url = remote->url, .head = true}), file->name));
    TRY_DONE(hub_refusal(&answer, &pull->settings, pull->name, remote->url));
    TRY_DONE(read_remote(remote, pull, &answer, file));
done:
    http_answer_close(&answer);
    weir_free(name);
    return status;
}

/* ---- one file ---- */

struct transfer {
    struct pull *pull;
    const struct remote *remote;
    struct hub_blob blob;
    uint64_t begun; /* how much of it was there */
};

/* Checks that an answer is the part that was asked for, or all of the file. */
static weir_status begin_body(struct transfer *transfer, const struct http_answer *answer)
{
    unsigned long long from, to, total;
    struct hub_blob *blob = &transfer->blob;
    const char *encoding = answer->lines[HTTP_ENCODING], *range = answer->lines[HTTP_RANGE];
    int64_t length = http_number(answer->lines[HTTP_LENGTH]);
    if (encoding && strcmp(encoding, "identity") != 0)
        return weir_fail(WEIR_E_INPUT, "%s: comes compressed (%.40s), which was not asked for", transfer->remote->name,
                         encoding);
    if (answer->code == 206) {
        if (!range || sscanf(range, "bytes %llu-%llu/%llu", &from, &to, &total) != 3 || from != blob->at ||
            total != blob->size)
            return weir_fail(WEIR_E_INPUT, "%s: another part comes (%.80s) than what is missing from byte %llu of %llu",
                             transfer->remote->name, range ? range : "no Content-Range", (unsigned long long)blob->at,
                             (unsigned long long)blob->size);
        return WEIR_OK;
    }
    if (length >= 0 && (uint64_t)length != blob->size)
        return weir_fail(WEIR_E_INPUT, "%s: has %llu bytes according to the hub, and %lld come", transfer->remote->name,
                         (unsigned long long)blob->size, (long long)length);
    blob->at = transfer->begun = 0;
    return WEIR_OK;
}

static weir_status take_file(void *payload, const struct http_answer *answer, bool first, const char *bytes, size_t n)
{
    struct transfer *transfer = payload;
    struct pull *pull = transfer->pull;
    struct hub_blob *blob = &transfer->blob;
    if (first)
        TRY(begin_body(transfer, answer));
    if (n > blob->size - blob->at)
        return weir_fail(WEIR_E_INPUT, "%s: more comes than the %llu bytes that it has according to the hub",
                         transfer->remote->name, (unsigned long long)blob->size);
    TRY(hub_blob_write(blob, bytes, n));
    pull->pulled->bytes += n;
    progress_step(&pull->progress, pull->before + blob->at - transfer->begun);
    return WEIR_OK;
}

/* What is missing of the file. A part that cannot be had has it begin anew. */
static weir_status transfer_rest(struct transfer *transfer)
{
    struct pull *pull = transfer->pull;
    const struct remote *remote = transfer->remote;
    struct http_answer answer = {0};
    weir_status status = http_ask(
        pull->http, &answer,
        &(struct http_request){.url = remote->url, .from = &transfer->blob.at, .take = take_file, .payload = transfer});
    status = weir_in(status, remote->name);
    if (status == WEIR_OK && answer.code == 416)
        transfer->blob.at = 0;
    else if (status == WEIR_OK)
        status = hub_refusal(&answer, &pull->settings, pull->name, remote->url);
    http_answer_close(&answer);
    return status;
}

/* Twice at most: what an earlier pull left may be wrong. */
static weir_status transfer_file(struct transfer *transfer)
{
    struct hub_blob *blob = &transfer->blob;
    char why[200];
    bool good = false;
    for (int i = 0; i < MOST_TRIES && !good; i++) {
        transfer->begun = blob->at;
        if (blob->at < blob->size)
            TRY(transfer_rest(transfer));
        TRY(hub_blob_finish(blob, &good, why));
    }
    if (!good)
        return weir_fail(WEIR_E_INPUT,
                         "%s: what comes is not the file that the hub describes: %s; nothing of it is kept",
                         transfer->remote->name, why);
    return WEIR_OK;
}

static weir_status fetch_file(struct pull *pull, const struct remote *remote)
{
    struct transfer transfer = {.pull = pull, .remote = remote};
    struct hub_blob *blob = &transfer.blob;
    weir_status status;
    TRY_DONE(hub_blob_open(blob, &pull->store, remote->etag, remote->size, remote->name));
    if (!blob->whole)
        TRY_DONE(transfer_file(&transfer));
    TRY_DONE(hub_blob_link(blob, &pull->store, remote->name));
    *(blob->whole ? &pull->pulled->n_there : &pull->pulled->n_fetched) += 1;
    if (!blob->whole) /* what was there already is not part of what is fetched */
        pull->before += blob->size - transfer.begun;
done:
    hub_blob_close(blob);
    return status;
}

/* ---- several files ---- */

/* Refuses to begin what the disk cannot hold. */
static weir_status check_room(const struct pull *pull, uint64_t needed)
{
    int64_t room = hub_store_free_bytes(&pull->store);
    if (room < 0 || needed <= (uint64_t)room)
        return WEIR_OK;
    return weir_fail(WEIR_E_OUTPUT,
                     "%s: needs %.1f MB, and the disk of %s has %.1f MB free: HF_HUB_CACHE names another place",
                     pull->name, (double)needed / 1e6, pull->store.folder, (double)room / 1e6);
}

static weir_status fetch_remotes(struct pull *pull, const struct remote *remotes, size_t n)
{
    uint64_t needed = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t there = hub_store_bytes(&pull->store, remotes[i].etag, remotes[i].size);
        if (remotes[i].size - there > UINT64_MAX / 2 - needed)
            return weir_fail(WEIR_E_INPUT, "%s: its files are larger than any disk, according to the hub", pull->name);
        needed += remotes[i].size - there;
    }
    TRY(check_room(pull, needed));
    TRY(n ? hub_store_make(&pull->store) : WEIR_OK);
    weir_status status = WEIR_OK;
    pull->before = 0;
    progress_begin_bytes(&pull->progress, needed);
    for (size_t i = 0; i < n && status == WEIR_OK; i++)
        status = fetch_file(pull, &remotes[i]);
    progress_end(&pull->progress);
    return status;
}

/* Fetches those that the snapshot has not. */
static weir_status fetch_wanted(struct pull *pull, const struct hub_wanted *wanted)
{
    struct remote *remotes;
    size_t n = 0;
    weir_status status = WEIR_OK;
    TRY(weir_alloc_zero(&remotes, wanted->n, sizeof *remotes));
    for (size_t i = 0; i < wanted->n && status == WEIR_OK; i++)
        if (hub_store_has(&pull->store, wanted->files[i]->name, wanted->files[i]->size))
            pull->pulled->n_there++;
        else
            status = ask_about_file(&remotes[n++], pull, wanted->files[i]);
    if (status == WEIR_OK)
        status = fetch_remotes(pull, remotes, n);
    for (size_t i = 0; i < n; i++) {
        weir_free(remotes[i].url);
        weir_free(remotes[i].etag);
    }
    weir_free(remotes);
    return status;
}

static weir_status fetch_shards(struct pull *pull, const struct hub_file *index)
{
    struct hub_wanted wanted = {0};
    char *path = NULL;
    weir_status status;
    TRY_DONE(weir_format(&path, "%s/%s", pull->store.snapshot, index->name));
    TRY_DONE(hub_wanted_shards(&wanted, &pull->listing, path));
    TRY_DONE(fetch_wanted(pull, &wanted));
done:
    hub_wanted_close(&wanted);
    weir_free(path);
    return status;
}

static weir_status fetch_all(struct pull *pull, const char *const *files, size_t n)
{
    struct hub_wanted wanted = {0};
    const struct hub_file *index = NULL;
    weir_status status = n ? hub_wanted_named(&wanted, &pull->listing, pull->name, files, n)
                           : hub_wanted_model(&wanted, &index, &pull->listing, pull->name);
    TRY_DONE(status);
    TRY_DONE(fetch_wanted(pull, &wanted));
    if (index)
        TRY_DONE(fetch_shards(pull, index));
    TRY_DONE(hub_store_set_ref(&pull->store, pull->revision, pull->listing.commit));
    TRY_DONE(n == 1 ? weir_format(&pull->pulled->path, "%s/%s", pull->store.snapshot, wanted.files[0]->name)
                    : weir_copy_string(&pull->pulled->path, pull->store.snapshot));
done:
    hub_wanted_close(&wanted);
    return status;
}

/* ---- all of it ---- */

static weir_status split_name(struct pull *pull, const char *where)
{
    const char *at = strchr(where, '@');
    pull->revision = at ? at + 1 : "main";
    TRY(weir_copy_bytes(&pull->name, where, at ? (size_t)(at - where) : strlen(where)));
    if (!weir_is_repository(pull->name) || !weir_is_revision(pull->revision))
        return weir_fail(WEIR_E_USAGE, "%s: is no name of a model on a hub: those are ORG/NAME or ORG/NAME@REVISION",
                         where);
    return WEIR_OK;
}

weir_status hub_pull(struct hub_pulled *pulled, const char *where, const char *const *files, size_t n)
{
    struct pull pull = {.pulled = pulled};
    weir_status status;
    *pulled = (struct hub_pulled){0};
    TRY_DONE(split_name(&pull, where));
    if (hub_is_offline())
        TRY_DONE(weir_fail(WEIR_E_USAGE, "%s: nothing is fetched while HF_HUB_OFFLINE is set", where));
    TRY_DONE(hub_settings_read(&pull.settings));
    TRY_DONE(http_open(&pull.http, &pull.settings));
    TRY_DONE(list_files(&pull));
    TRY_DONE(hub_store_open(&pull.store, pull.name, pull.listing.commit));
    TRY_DONE(fetch_all(&pull, files, n));
done:
    hub_store_close(&pull.store);
    hub_listing_close(&pull.listing);
    http_close(pull.http);
    hub_settings_close(&pull.settings);
    weir_free(pull.name);
    return status;
}

void hub_pulled_close(struct hub_pulled *pulled)
{
    weir_free(pulled->path);
}
