/* absent.c - what src/admin has natively and a Worker has not, and what is said
 * of it. */
#include "admin.h"

#include "../src/admin/call.h"
#include "../src/admin/reply.h"
#include "../src/store/import.h"

static void refuse(ob_exchange *exchange, const char *why)
{
    ob_admin_error error;
    (void)ob_admin_fail(&error, 404, "%s", why);
    ob_reply_error(exchange, &error);
}

void ob_admin_show_metrics(ob_gateway *gateway, ob_exchange *exchange)
{
    refuse(exchange, "there are no metrics on Cloudflare: isolates share no "
                     "counters; see its own dashboard");
}

void ob_admin_listen(const ob_admin_call *call)
{
    refuse(call->exchange,
           "there are no live events on Cloudflare: isolates do not hear of "
           "each other; ask /admin/api/requests again instead");
}

ob_status ob_import_dump(ob_importer *importer, ob_slice sql)
{
    return ob_store_fail(importer->error, OB_INVALID,
                         "an SQL dump cannot be read on Cloudflare, where "
                         "there is no SQLite to run it in; `one-balance "
                         "import` reads it, and `one-balance export` then "
                         "gives a text that can be imported here");
}

ob_status ob_import_database(ob_importer *importer, const char *path)
{
    return ob_import_dump(importer, OB_S(""));
}
