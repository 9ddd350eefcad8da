#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/config.h"
#include "adding.h"

/* ------------------------------------------------------- rows */

void ob_import_refuse(ob_importer *importer, size_t row, ob_slice key,
                      const char *why)
{
    char masked[OB_MASK_MAX] = "";
    if (key.len)
        ob_secret_mask(key, masked);
    importer->result->refused++;
    if (importer->options->refused)
        importer->options->refused(importer->options->context, row, masked,
                                   why);
}

void ob_import_cooldown(ob_importer *importer, ob_import_row *row,
                        ob_slice model, int64_t until_ms, ob_reason reason)
{
    int64_t longest_ms = importer->options->now_ms + OB_COOL_MS_MAX;
    if (until_ms <= importer->options->now_ms)
        return;
    if (ob_slice_starts(model, OB_S("models/")))
        model = ob_slice_from(model, 7);
    if (model.len > OB_MODEL_BYTES_MAX ||
        row->cooldown_count == OB_COOLDOWNS_PER_KEY_MAX) {
        importer->result->cooldowns_left_out++;
        return;
    }
    /* Another program's rest, or its mistake, must not bench a key for
     * weeks. */
    if (until_ms > longest_ms)
        until_ms = longest_ms;
    row->cooldowns[row->cooldown_count++] =
        (ob_stored_cooldown){model, until_ms, reason};
}

void ob_import_order(ob_importer *importer, ob_import_row *row,
                     int64_t priority, int64_t weight)
{
    bool ranked = priority >= 0 && priority <= OB_PRIORITY_MAX;
    bool weighed = weight >= 1 && weight <= OB_WEIGHT_MAX;
    /* Zero is what nobody has set. */
    if ((!ranked && priority != 0) || (!weighed && weight != 0))
        importer->result->orders_left_out++;
    if (ranked && priority)
        row->priority = priority;
    if (weighed)
        row->weight = weight;
}

void ob_import_left_out(const ob_importer *importer, const char *what)
{
    if (importer->options->left_out)
        importer->options->left_out(importer->options->context, what);
}

ob_status ob_import_need_provider(ob_importer *importer)
{
    if (importer->options->fallback.len)
        return OB_OK;
    return ob_store_fail(importer->error, OB_INVALID,
                         "it does not say of which provider the keys are: "
                         "name it (--provider on the command line, provider= "
                         "in the admin API)");
}

void ob_import_row_init(ob_import_row *row, size_t number)
{
    static const ob_slice none = {"", 0};
    row->row = number;
    row->provider = row->url = row->key = row->remark = none;
    row->status = row->blocked_reason = none;
    row->priority = row->weight = OB_NOT_GIVEN;
    row->created_at = row->total_cooling_ms = 0;
    row->cooldown_count = 0; /* the room for them is not touched */
}

/* A number as the store wants it; what is out of range stays so, and is
 * refused there. */
static const uint8_t *clipped(int64_t number, uint8_t *room)
{
    if (number == OB_NOT_GIVEN)
        return NULL;
    *room = number < 0 || number > UINT8_MAX ? UINT8_MAX : (uint8_t)number;
    return room;
}

static bool read_status(const ob_import_row *row, ob_new_key *key)
{
    if (ob_slice_eq(row->status, OB_S("blocked"))) {
        key->status = OB_KEY_BLOCKED;
        key->blocked_reason = row->blocked_reason.len
                                  ? ob_reason_from_word(row->blocked_reason)
                                  : OB_REASON_KEY_INVALID;
        return true;
    }
    /* "cooling" is active with a cool-down, which stands beside it. */
    return row->status.len == 0 || ob_slice_eq(row->status, OB_S("active")) ||
           ob_slice_eq(row->status, OB_S("cooling"));
}

/* The name itself is not repeated: where columns are swapped it is a key. */
static void refuse_provider(ob_importer *importer, const ob_import_row *row,
                            ob_slice nearest)
{
    char why[256];
    if (!row->provider.len)
        snprintf(why, sizeof(why),
                 "no provider: the file has to say it, or --provider");
    else if (nearest.len)
        snprintf(why, sizeof(why), "unknown provider, did you mean %.*s?",
                 (int)nearest.len, nearest.ptr);
    else
        snprintf(why, sizeof(why),
                 "unknown provider; add it to \"providers\" in the "
                 "configuration");
    ob_import_refuse(importer, row->row, row->key, why);
}

/* The host alone: the rest of a URL may hold a password. */
static void refuse_place(ob_importer *importer, const ob_import_row *row)
{
    char why[256] = "its upstream is not a plain URL";
    const char *reason = NULL;
    ob_url url;
    if (ob_url_parse(row->url, &url, &reason) == OB_OK)
        snprintf(why, sizeof(why),
                 "no provider is at its upstream %.*s; add one with that "
                 "base_url to \"providers\" in the configuration",
                 (int)(url.host.len > 100 ? 100 : url.host.len), url.host.ptr);
    ob_import_refuse(importer, row->row, row->key, why);
}

/* False: the row is refused. What the file says goes before what the person
 * says of the file: keys of an upstream that is unknown here must not go to
 * another one. */
static bool find_provider(ob_importer *importer, const ob_import_row *row,
                          ob_slice *slug)
{
    const ob_import_options *options = importer->options;
    ob_slice nearest = {NULL, 0};
    if (row->url.len) {
        *slug = options->place ? options->place(options->context, row->url)
                               : (ob_slice){NULL, 0};
        if (slug->len == 0)
            refuse_place(importer, row);
        return slug->len != 0;
    }
    *slug = row->provider.len || !options->fallback.len
                ? options->provider(options->context, row->provider, &nearest)
                : options->fallback;
    if (slug->len == 0)
        refuse_provider(importer, row, nearest);
    return slug->len != 0;
}

static ob_status store_row(ob_importer *importer, const ob_import_row *row,
                           ob_new_key *key)
{
    const char *why = ob_adding_refusal(key);
    if (!why)
        return ob_adding_put(importer->adding, key, importer->error);
    ob_import_refuse(importer, row->row, row->key, why);
    return OB_OK;
}

ob_status ob_import_add(ob_importer *importer, const ob_import_row *row)
{
    uint8_t room[2];
    ob_new_key key = {.secret = ob_slice_trim(row->key),
                      .remark = row->remark,
                      .order = {clipped(row->priority, &room[0]),
                                clipped(row->weight, &room[1])},
                      .created_at = row->created_at > 0 ? row->created_at : 0,
                      .total_cooling_ms = row->total_cooling_ms,
                      .cooldowns = row->cooldowns,
                      .cooldown_count = row->cooldown_count};
    if (!find_provider(importer, row, &key.provider))
        return OB_OK;
    if (!read_status(row, &key)) {
        ob_import_refuse(importer, row->row, row->key,
                         "the status is neither active nor blocked");
        return OB_OK;
    }
    return store_row(importer, row, &key);
}

/* ------------------------------------------------------- kinds */

static bool is_sql(ob_slice text)
{
    static const ob_slice starts[] = {
        OB_S_INIT("pragma "), OB_S_INIT("begin"),   OB_S_INIT("create "),
        OB_S_INIT("insert "), OB_S_INIT("delete "), OB_S_INIT("--"),
        OB_S_INIT("/*"),
    };
    text = ob_slice_trim(text);
    for (size_t i = 0; i < OB_LEN(starts); i++)
        if (ob_slice_starts_nocase(text, starts[i]))
            return true;
    return false;
}

static ob_import_kind kind_of(ob_slice text)
{
    ob_slice begin = ob_slice_trim(text);
    if (is_sql(text))
        return OB_IMPORT_SQL;
    if (ob_slice_starts(begin, OB_S("{")) || ob_slice_starts(begin, OB_S("[")))
        return OB_IMPORT_JSON;
    if (ob_import_is_env(text))
        return OB_IMPORT_ENV;
    return ob_import_is_csv(text) ? OB_IMPORT_CSV : OB_IMPORT_LINES;
}

static ob_status read_text(ob_importer *importer, ob_slice text)
{
    if (ob_slice_index(text, 0) != OB_NOWHERE)
        return ob_store_fail(importer->error, OB_INVALID,
                             "the file holds NUL bytes: it is neither text "
                             "nor an SQLite database");
    if (ob_slice_starts(text, OB_S("\xef\xbb\xbf")))
        text = ob_slice_from(text, 3);
    ob_import_kind kind = importer->options->kind;
    switch (kind == OB_IMPORT_AUTO ? kind_of(text) : kind) {
    case OB_IMPORT_SQL:
        return ob_import_dump(importer, text);
    case OB_IMPORT_JSON:
        return ob_import_json(importer, text);
    case OB_IMPORT_CSV:
        if (!ob_import_is_csv(text))
            return ob_store_fail(importer->error, OB_INVALID,
                                 "the first line of the CSV must name the "
                                 "columns, key among them, and provider");
        return ob_import_csv(importer, text);
    case OB_IMPORT_ENV:
        return ob_import_env(importer, text);
    case OB_IMPORT_AUTO:
    case OB_IMPORT_LINES:
        break;
    }
    return ob_import_lines(importer, text);
}

static ob_status import_all(ob_importer *importer, bool database, ob_slice text)
{
    ob_status status = database ? ob_import_database(importer, importer->path)
                                : read_text(importer, text);
    if (status == OB_OK)
        status = ob_adding_flush(importer->adding, importer->error);
    ob_adding_counts counts = ob_adding_count(importer->adding);
    importer->result->added = counts.added;
    importer->result->known = counts.known;
    importer->result->cooldowns = counts.cooldowns;
    return status;
}

/* Is it too much for this store? Nothing is told of it otherwise. */
static ob_status measure(const ob_importer *importer, ob_slice text)
{
    ob_import_options silent = *importer->options;
    ob_import_result result = {0};
    ob_importer looking = *importer;
    if (!ob_adding_measure(importer->adding))
        return OB_OK;
    silent.refused = NULL;
    silent.left_out = NULL;
    looking.options = &silent;
    looking.result = &result;
    ob_status status = read_text(&looking, text);
    return status == OB_OK
               ? ob_adding_measured(importer->adding, importer->error)
               : status;
}

static ob_status in_transaction(ob_importer *importer, bool database,
                                ob_slice text)
{
    importer->adding =
        ob_adding_new(importer->store, importer->options->now_ms);
    if (!importer->adding)
        return ob_store_fail(importer->error, OB_NO_MEMORY, "out of memory");
    ob_status status = database ? OB_OK : measure(importer, text);
    if (status == OB_OK)
        status = ob_store_begin(importer->store, importer->error);
    if (status == OB_OK) {
        status = import_all(importer, database, text);
        if (status == OB_OK)
            status = ob_store_commit(importer->store, importer->error);
        else
            ob_store_rollback(importer->store);
    }
    ob_adding_free(importer->adding);
    return status;
}

ob_status ob_import_text(ob_store *store, ob_slice text,
                         const ob_import_options *options,
                         ob_import_result *result, ob_store_error *error)
{
    ob_importer importer = {
        .store = store, .options = options, .result = result, .error = error};
    *result = (ob_import_result){0};
    return in_transaction(&importer, false, text);
}

/* ------------------------------------------------------- files */

static ob_status read_all(int fd, char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t size = pread(fd, text + at, len - at, (off_t)at);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return OB_IO;
        at += (size_t)size;
    }
    return OB_OK;
}

static ob_status import_text_file(ob_importer *importer, int fd, size_t len)
{
    if (len > OB_IMPORT_BYTES_MAX)
        return ob_store_fail(importer->error, OB_LIMIT,
                             "it is larger than 512 MB");
    char *text = malloc(len + 1);
    if (!text)
        return ob_store_fail(importer->error, OB_NO_MEMORY, "out of memory");
    text[len] = 0;
    ob_status status = read_all(fd, text, len);
    if (status != OB_OK)
        ob_store_fail(importer->error, status, "it cannot be read");
    else
        status = in_transaction(importer, false, ob_slice_make(text, len));
    ob_wipe(text, len);
    free(text);
    return status;
}

static ob_status import_open_file(ob_importer *importer, int fd)
{
    static const char magic[16] = "SQLite format 3";
    char begin[sizeof(magic)];
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ob_store_fail(importer->error, OB_INVALID,
                             "it is not a plain file");
    if ((size_t)info.st_size >= sizeof(magic) &&
        read_all(fd, begin, sizeof(begin)) == OB_OK &&
        memcmp(begin, magic, sizeof(magic)) == 0)
        return in_transaction(importer, true, OB_S(""));
    return import_text_file(importer, fd, (size_t)info.st_size);
}

/* Closing a file drops the locks that SQLite has on it (POSIX), so the store's
 * own is not even opened. */
static bool is_own_file(ob_store *store, const char *path)
{
    struct stat own;
    struct stat other;
    const char *file = sqlite3_db_filename(store->db, "main");
    return file && stat(file, &own) == 0 && stat(path, &other) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/* An export of gpt-load's is a list of keys of one status, "keys-GROUP-
 * all.txt", "-active.txt" or "-invalid.txt".
 * Source: gpt-load, internal/handler/key_handler.go, ExportKeys(). */
static void read_name(ob_importer *importer)
{
    static const ob_slice ends[] = {OB_S_INIT("-all.txt"),
                                    OB_S_INIT("-active.txt"),
                                    OB_S_INIT("-invalid.txt")};
    const char *slash = strrchr(importer->path, '/');
    ob_slice name = ob_slice_str(slash ? slash + 1 : importer->path);
    for (size_t i = 0; i < OB_LEN(ends); i++) {
        if (!ob_slice_starts(name, OB_S("keys-")) ||
            !ob_slice_ends(name, ends[i]))
            continue;
        importer->gpt_load = true;
        importer->list_status = i == 2 ? OB_S("blocked") : OB_S("");
    }
}

ob_status ob_import_file(ob_store *store, const char *path,
                         const ob_import_options *options,
                         ob_import_result *result, ob_store_error *error)
{
    ob_importer importer = {.store = store,
                            .options = options,
                            .result = result,
                            .error = error,
                            .path = path};
    *result = (ob_import_result){0};
    if (is_own_file(store, path))
        return ob_store_fail(
            error, OB_INVALID,
            "it is the database that it would be imported into");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ob_store_fail(error, OB_IO, "it cannot be opened: %s",
                             strerror(errno));
    read_name(&importer);
    ob_status status = import_open_file(&importer, fd);
    close(fd);
    return status;
}
