/*
 * console.h - the console's files, as they are built into the binary.
 *
 * Static and without data: whoever asks gets them, and what they show comes
 * from the API. Every file is held compressed; the page that all others hang
 * on is held plain too.
 */
#ifndef OB_ADMIN_CONSOLE_H
#define OB_ADMIN_CONSOLE_H

#include "../gateway/server.h"

typedef struct ob_console_asset {
    ob_slice path; /* "/" is the page */
    ob_slice type;
    ob_slice etag;  /* in quotes; names the content, however it is encoded */
    ob_slice plain; /* empty: gzip is what those get who ask for neither */
    ob_slice gzip;
    ob_slice brotli;
} ob_console_asset;

typedef struct ob_console {
    const ob_console_asset *assets;
    size_t count;
} ob_console;

/* Made by console/embed.mjs, or empty: see console/meson.build. */
extern const ob_console ob_console_built;

/* Is it a path below which the page shows its own places? */
bool ob_console_has_place(ob_slice path);

/*
 * Answers with the file of that path, the page for places inside the console;
 * 304 for those who have it. False: there is no such file, nothing is
 * answered.
 */
bool ob_console_serve(const ob_console *console, ob_exchange *exchange);

/* Does an Accept-Encoding header take `coding`? Names in it, not "*". */
bool ob_console_takes_coding(ob_slice accepted, ob_slice coding);

#endif
