/*
 * page.h - the page at "/": a sign-in form, or the providers and their keys.
 *
 * Plain HTML without script; whatever is not ours is escaped.
 */
#ifndef OB_ADMIN_PAGE_H
#define OB_ADMIN_PAGE_H

#include "../core/base/buffer.h"
#include "../gateway/gateway.h"

/* `problem`, where it is not NULL, says why signing in failed. */
void ob_page_sign_in(ob_exchange *exchange, int status, unsigned retry_after_s,
                     const char *problem);
void ob_page_overview(ob_gateway *gateway, ob_exchange *exchange);

/* Appends `text` for HTML, inside elements and quoted attributes. */
void ob_html_append(ob_buffer *out, ob_slice text);

#endif
