#include "limits.h"
size_t ob_limits_read(const ob_response *response, int64_t now_ms,
                      ob_limit_fact facts[OB_LIMIT_FACTS_MAX])
{
    size_t n = 0;
    if (response->status < 400)
        return 0;
    ob_slice rest = response->body;
    for (; n < 8;) {
        size_t at = ob_slice_find(rest, OB_S("\"quotaId\":\""));
        if (at == OB_NOWHERE)
            break;
        rest = ob_slice_from(rest, at + 11);
        ob_slice id = ob_slice_head(rest, ob_slice_index(rest, '"'));
        at = ob_slice_find(rest, OB_S("\"quotaValue\":\""));
        uint64_t v = 0;
        if (at != OB_NOWHERE) {
            ob_slice q = ob_slice_from(rest, at + 14);
            q = ob_slice_head(q, ob_slice_index(q, '"'));
            if (ob_slice_u64(q, &v) != OB_OK)
                v = 0;
        }
        facts[n++] = (ob_limit_fact){
            .unit = ob_slice_find(id, OB_S("Token")) != OB_NOWHERE
                        ? OB_LIMIT_INPUT_TOKENS
                        : OB_LIMIT_REQUESTS,
            .window = ob_slice_find(id, OB_S("PerDay")) != OB_NOWHERE
                          ? OB_WINDOW_DAY
                          : OB_WINDOW_MINUTE,
            .limit = (int64_t)v,
            .remaining = -1,
            .reset_ms = -1,
            .exceeded = true,
            .shared = true};
    }
    return n;
}
