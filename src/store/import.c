#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "database.h"

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
                        ob_slice model, int64_t until_s, ob_reason reason)
{
    int64_t now_ms = importer->options->now_ms;
    if (until_s <= now_ms / 1000)
        return;
    if (ob_slice_starts(model, OB_S("models/")))
        model = ob_slice_from(model, 7);
    if (model.len > OB_MODEL_BYTES_MAX ||
        row->cooldown_count == OB_COOLDOWNS_PER_KEY_MAX) {
        importer->result->cooldowns_left_out++;
        return;
    }
    /* Another program's rest, or its mistake, must not bench a key for
     * weeks; the comparison comes first, for a huge number would overflow. */
    int64_t until_ms = until_s > (now_ms + OB_COOL_MS_MAX) / 1000
                           ? now_ms + OB_COOL_MS_MAX
                           : until_s * 1000;
    row->cooldowns[row->cooldown_count++] =
        (ob_stored_cooldown){model, until_ms, reason};
}

void ob_import_row_init(ob_import_row *row, size_t number)
{
    static const ob_slice none = {"", 0};
    row->row = number;
    row->provider = row->key = row->remark = none;
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
    if (nearest.len)
        snprintf(why, sizeof(why), "unknown provider, did you mean %.*s?",
                 (int)nearest.len, nearest.ptr);
    else
        snprintf(why, sizeof(why),
                 "unknown provider; add it to \"providers\" in the "
                 "configuration");
    ob_import_refuse(importer, row->row, row->key, why);
}

static ob_status store_row(ob_importer *importer, const ob_import_row *row,
                           ob_new_key *key)
{
    ob_import_result *result = importer->result;
    ob_status status = ob_store_add_key(
        importer->store, key, importer->options->now_ms, importer->error);
    if (status == OB_OK) {
        result->added++;
        result->cooldowns += row->cooldown_count;
    } else if (status == OB_EXISTS) {
        result->known++;
    } else if (status == OB_INVALID) {
        ob_import_refuse(importer, row->row, row->key,
                         importer->error->message);
    } else {
        return status;
    }
    return OB_OK;
}

ob_status ob_import_add(ob_importer *importer, const ob_import_row *row)
{
    const ob_import_options *options = importer->options;
    ob_slice nearest = {NULL, 0};
    uint8_t room[2];
    ob_new_key key = {.secret = ob_slice_trim(row->key),
                      .remark = row->remark,
                      .order = {clipped(row->priority, &room[0]),
                                clipped(row->weight, &room[1])},
                      .created_at = row->created_at > 0 ? row->created_at : 0,
                      .total_cooling_ms = row->total_cooling_ms,
                      .cooldowns = row->cooldowns,
                      .cooldown_count = row->cooldown_count};
    key.provider = options->provider(options->context, row->provider, &nearest);
    if (key.provider.len == 0) {
        refuse_provider(importer, row, nearest);
        return OB_OK;
    }
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
                                 "columns, provider and key among them");
        return ob_import_csv(importer, text);
    case OB_IMPORT_AUTO:
    case OB_IMPORT_LINES:
        break;
    }
    return ob_import_lines(importer, text);
}

static ob_status in_transaction(ob_importer *importer, const char *path,
                                ob_slice text)
{
    *importer->result = (ob_import_result){0};
    ob_status status = ob_store_begin(importer->store, importer->error);
    if (status != OB_OK)
        return status;
    status =
        path ? ob_import_database(importer, path) : read_text(importer, text);
    if (status == OB_OK)
        return ob_store_commit(importer->store, importer->error);
    ob_store_rollback(importer->store);
    return status;
}

ob_status ob_import_text(ob_store *store, ob_slice text,
                         const ob_import_options *options,
                         ob_import_result *result, ob_store_error *error)
{
    ob_importer importer = {store, options, result, error};
    return in_transaction(&importer, NULL, text);
}

/* ------------------------------------------------------- files */

static ob_status read_all(int fd, char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t size = read(fd, text + at, len - at);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return OB_IO;
        at += (size_t)size;
    }
    text[len] = 0;
    return OB_OK;
}

static ob_status import_open_file(ob_importer *importer, int fd,
                                  const char *path)
{
    static const char magic[16] = "SQLite format 3";
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ob_store_fail(importer->error, OB_INVALID,
                             "%s is not a plain file", path);
    if ((uint64_t)info.st_size > OB_IMPORT_BYTES_MAX)
        return ob_store_fail(importer->error, OB_LIMIT,
                             "%s is larger than 512 MB", path);
    size_t len = (size_t)info.st_size;
    char *text = malloc(len + 1);
    if (!text)
        return ob_store_fail(importer->error, OB_NO_MEMORY, "out of memory");
    ob_status status = read_all(fd, text, len);
    if (status != OB_OK)
        ob_store_fail(importer->error, status, "%s cannot be read", path);
    else if (len >= sizeof(magic) && memcmp(text, magic, sizeof(magic)) == 0)
        status = in_transaction(importer, path, OB_S(""));
    else
        status = in_transaction(importer, NULL, ob_slice_make(text, len));
    ob_wipe(text, len);
    free(text);
    return status;
}

ob_status ob_import_file(ob_store *store, const char *path,
                         const ob_import_options *options,
                         ob_import_result *result, ob_store_error *error)
{
    ob_importer importer = {store, options, result, error};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ob_store_fail(error, OB_IO, "cannot open %s: %s", path,
                             strerror(errno));
    ob_status status = import_open_file(&importer, fd, path);
    close(fd);
    return status;
}
