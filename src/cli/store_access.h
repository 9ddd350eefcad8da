/*
 * store_access.h - what the commands that work on the database share: finding
 * and opening it, knowing the providers, reading files.
 */
#ifndef OB_STORE_ACCESS_H
#define OB_STORE_ACCESS_H

#include "../core/base/buffer.h"
#include "../store/store.h"
#include "options.h"
#include "settings.h"

/* The two options of every such command, for its table. */
#define OB_STORE_OPTIONS(flags)                                                \
    {.name = "database",                                                       \
     .value = "PATH",                                                          \
     .help = "the database; default ./one-balance.db",                         \
     .text = &(flags).database},                                               \
    {                                                                          \
        .name = "config", .value = "FILE",                                     \
        .help = "configuration that names the database",                       \
        .text = &(flags).config                                                \
    }

typedef struct ob_access {
    ob_settings settings;
    ob_store *store; /* NULL: not opened yet */
} ob_access;

/* For commands that fill a database, in two steps: one that fails in between,
 * on a wrong name or path, must not leave a new database. False: the reason is
 * on standard error. Begun is ended by ob_access_close(), with or without the
 * second step, which makes the database where there is none. */
bool ob_access_begin(const ob_settings_flags *flags, ob_access *access);
bool ob_access_store(ob_access *access);
/* For commands that have nothing to do in a new one: where there is none, that
 * is the reason. Ended by ob_access_close(). */
bool ob_access_open_existing(const ob_settings_flags *flags, ob_access *access);
/* Is there a database? False: the reason is on standard error. */
bool ob_access_find(ob_slice path);
void ob_access_close(ob_access *access);

int64_t ob_now_ms(void);

/* The slug of a provider or its alias; {NULL, 0}: it is not known, and
 * *nearest is the known slug that is most like it, or empty. */
ob_slice ob_access_provider(const ob_config *config, ob_slice name,
                            ob_slice *nearest);

/* The slug at a URL; {NULL, 0}: no provider is there. */
ob_slice ob_access_provider_at(const ob_config *config, ob_slice url);
/* Says on standard error that a provider is not known; the exit code. */
int ob_access_refuse_provider(const char *name, ob_slice nearest);

/* Reads a file, or standard input for "-". False: the reason is on standard
 * error. The caller wipes and frees with ob_text_free(). */
bool ob_text_read(const char *path, ob_buffer *text);
void ob_text_free(ob_buffer *text);

#endif
