#include "journal.h"

#include <uv.h>

#include "../src/core/authkey.h"
#include "../src/core/base/secret.h"
#include "../src/core/dialect/json.h"

typedef struct operation {
    edge_kind kind;
    uint64_t hash;
    char *text;
    size_t len;
    yyjson_val *result; /* NULL: none yet, or it failed */
    ob_slice why;       /* it failed; ptr NULL: it did not */
    bool taken;         /* by the run under way */
} operation;

/* What the shell told at once. Strings of the document point into its text,
 * so that there is one copy to be wiped. */
typedef struct results {
    struct results *next;
    yyjson_doc *doc;
    size_t len;
    char text[];
} results;

struct edge_journal {
    uint8_t seed[EDGE_SEED_BYTES];
    uint64_t drawn;
    operation *operations;
    size_t count;
    size_t capacity;
    size_t at;    /* behind what was taken last */
    size_t taken; /* by this run */
    size_t told;  /* how many were told, all in all */
    unsigned runs;
    unsigned done;
    bool waits;
    results *results;
};

edge_journal *edge_journal_running;

edge_journal *edge_journal_new(const uint8_t seed[EDGE_SEED_BYTES])
{
    edge_journal *journal = calloc(1, sizeof(*journal));
    if (journal)
        memcpy(journal->seed, seed, EDGE_SEED_BYTES);
    return journal;
}

static void free_wiped(char *text, size_t len)
{
    ob_wipe(text, len);
    free(text);
}

static void results_free(results *told)
{
    yyjson_doc_free(told->doc);
    free_wiped((char *)told, sizeof(*told) + told->len + YYJSON_PADDING_SIZE);
}

void edge_journal_free(edge_journal *journal)
{
    if (!journal)
        return;
    if (edge_journal_running == journal)
        edge_journal_running = NULL;
    for (size_t i = 0; i < journal->count; i++)
        free_wiped(journal->operations[i].text, journal->operations[i].len);
    while (journal->results) {
        results *next = journal->results->next;
        results_free(journal->results);
        journal->results = next;
    }
    free(journal->operations);
    free_wiped((char *)journal, sizeof(*journal));
}

/* ---- runs ---- */

ob_status edge_journal_begin(edge_journal *journal)
{
    edge_journal_running = journal;
    journal->drawn = journal->at = journal->taken = 0;
    journal->waits = false;
    for (size_t i = 0; i < journal->count; i++)
        journal->operations[i].taken = false;
    return journal->runs++ < EDGE_RUNS_MAX ? OB_OK : OB_LIMIT;
}

bool edge_journal_has_done(const edge_journal *journal, unsigned what)
{
    return (journal->done & what) != 0;
}

void edge_journal_note_done(edge_journal *journal, unsigned what)
{
    journal->done |= what;
}

bool edge_journal_waits(const edge_journal *journal)
{
    return journal->waits;
}

/* SHA-256 of the seed and a number, as often as it takes. */
void edge_journal_random(edge_journal *journal, void *out, size_t len)
{
    char block[EDGE_SEED_BYTES + sizeof(journal->drawn)];
    uint8_t drawn[OB_AUTHKEY_HASH_SIZE];
    char *bytes = out;
    memcpy(block, journal->seed, EDGE_SEED_BYTES);
    while (len) {
        memcpy(block + EDGE_SEED_BYTES, &journal->drawn,
               sizeof(journal->drawn));
        journal->drawn++;
        ob_sha256(ob_slice_make(block, sizeof(block)), drawn);
        size_t part = len < sizeof(drawn) ? len : sizeof(drawn);
        memcpy(bytes, drawn, part);
        bytes += part;
        len -= part;
    }
    ob_wipe(block, sizeof(block));
    ob_wipe(drawn, sizeof(drawn));
}

int uv_random(uv_loop_t *loop, uv_random_t *request, void *out, size_t len,
              unsigned flags, void *done)
{
    if (!edge_journal_running)
        return -1;
    edge_journal_random(edge_journal_running, out, len);
    return 0;
}

/* ---- asking ---- */

static bool is_same(const operation *known, edge_kind kind, uint64_t hash,
                    ob_slice text)
{
    if (known->taken || known->kind != kind || known->hash != hash)
        return false;
    return kind == EDGE_WRITE_SQL ||
           (known->len == text.len &&
            memcmp(known->text, text.ptr, text.len) == 0);
}

/* Runs ask in the same order, as long as they are alike: the search begins
 * behind what was found last. */
static operation *find(edge_journal *journal, edge_kind kind, uint64_t hash,
                       ob_slice text)
{
    if (journal->taken == journal->count)
        return NULL;
    for (size_t i = 0; i < journal->count; i++) {
        size_t at = (journal->at + i) % journal->count;
        if (!is_same(&journal->operations[at], kind, hash, text))
            continue;
        journal->at = at + 1;
        return &journal->operations[at];
    }
    return NULL;
}

static ob_status make_room(edge_journal *journal)
{
    if (journal->count == EDGE_OPERATIONS_MAX)
        return OB_LIMIT;
    if (journal->count < journal->capacity)
        return OB_OK;
    size_t capacity = journal->capacity ? 2 * journal->capacity : 16;
    operation *grown = realloc(journal->operations, capacity * sizeof(*grown));
    if (!grown)
        return OB_NO_MEMORY;
    journal->operations = grown;
    journal->capacity = capacity;
    return OB_OK;
}

static ob_status add(edge_journal *journal, edge_kind kind, uint64_t hash,
                     ob_slice text)
{
    ob_status status = make_room(journal);
    char *copy = status == OB_OK ? malloc(text.len + 1) : NULL;
    if (!copy)
        return status == OB_OK ? OB_NO_MEMORY : status;
    memcpy(copy, text.ptr, text.len);
    journal->operations[journal->count++] =
        (operation){.kind = kind, .hash = hash, .text = copy, .len = text.len};
    return OB_OK;
}

static ob_status ask(edge_journal *journal, edge_kind kind, uint64_t hash,
                     ob_slice text, yyjson_val **result, ob_slice *why)
{
    operation *known = find(journal, kind, hash, text);
    if (!known) {
        /* A write is made of what is known alone. */
        if (journal->waits && kind == EDGE_WRITE_SQL)
            return OB_AGAIN;
        ob_status status = add(journal, kind, hash, text);
        if (status != OB_OK)
            return status;
        known = &journal->operations[journal->count - 1];
    }
    known->taken = true;
    journal->taken++;
    if (known->result) {
        *result = known->result;
        return OB_OK;
    }
    if (known->why.ptr) {
        *why = known->why;
        return OB_IO;
    }
    journal->waits = true;
    return OB_AGAIN;
}

ob_status edge_ask(edge_journal *journal, edge_kind kind, ob_slice text,
                   yyjson_val **result, ob_slice *why)
{
    OB_ASSERT(kind != EDGE_WRITE_SQL);
    return ask(journal, kind, ob_slice_hash(text, 0), text, result, why);
}

ob_status edge_ask_write(edge_journal *journal, uint64_t shape, ob_slice text,
                         yyjson_val **result, ob_slice *why)
{
    return ask(journal, EDGE_WRITE_SQL, shape, text, result, why);
}

/* ---- what the shell is told, and tells ---- */

void edge_journal_tell(const edge_journal *journal, ob_buffer *out)
{
    static const char *const words[] = {[EDGE_READ_SQL] = "batch",
                                        [EDGE_WRITE_SQL] = "batch",
                                        [EDGE_SEAL] = "seal",
                                        [EDGE_UNSEAL] = "unseal",
                                        [EDGE_FETCH] = "fetch"};
    ob_buffer_append_char(out, '[');
    for (size_t i = journal->told; i < journal->count; i++) {
        const operation *asked = &journal->operations[i];
        ob_buffer_append_str(out, i > journal->told ? ",[\"" : "[\"");
        ob_buffer_append_str(out, words[asked->kind]);
        ob_buffer_append_str(out, "\",");
        ob_buffer_append(out, ob_slice_make(asked->text, asked->len));
        ob_buffer_append_char(out, ']');
    }
    ob_buffer_append_char(out, ']');
}

static bool take_one(operation *asked, yyjson_val *told)
{
    yyjson_val *failed = yyjson_obj_get(told, "failed");
    asked->result = yyjson_obj_get(told, "done");
    if (yyjson_is_str(failed))
        asked->why = ob_json_text(failed);
    return asked->result || asked->why.ptr;
}

static ob_status take_all(edge_journal *journal, yyjson_val *told)
{
    size_t asked = journal->count - journal->told;
    yyjson_arr_iter iter = yyjson_arr_iter_with(told);
    if (!yyjson_is_arr(told) || yyjson_arr_size(told) != asked)
        return OB_INVALID;
    for (; journal->told < journal->count; journal->told++)
        if (!take_one(&journal->operations[journal->told],
                      yyjson_arr_iter_next(&iter)))
            return OB_INVALID;
    return OB_OK;
}

ob_status edge_journal_take(edge_journal *journal, ob_slice json)
{
    results *told = calloc(1, sizeof(*told) + json.len + YYJSON_PADDING_SIZE);
    if (!told)
        return OB_NO_MEMORY;
    told->len = json.len;
    memcpy(told->text, json.ptr, json.len);
    told->doc =
        yyjson_read_opts(told->text, json.len, YYJSON_READ_INSITU, NULL, NULL);
    told->next = journal->results;
    journal->results = told;
    return told->doc ? take_all(journal, yyjson_doc_get_root(told->doc))
                     : OB_INVALID;
}

/* ---- hexadecimal digits ---- */

void edge_append_hex(ob_buffer *out, ob_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (ob_buffer_reserve(out, 2 * bytes.len) != OB_OK)
        return;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        out->data[out->end++] = digits[byte >> 4];
        out->data[out->end++] = digits[byte & 15];
    }
}

static int read_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ob_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ob_status edge_read_hex(ob_slice digits, void *out, size_t len)
{
    uint8_t *bytes = out;
    if (digits.len != 2 * len)
        return OB_INVALID;
    for (size_t i = 0; i < len; i++) {
        int high = read_digit(digits.ptr[2 * i]);
        int low = read_digit(digits.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return OB_INVALID;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return OB_OK;
}
