/* check.c - the auth keys that administrators show; of both shells. */
#include "gateway.h"
#include "throttle.h"

ob_status ob_gateway_check(ob_gateway *gateway, const ob_snapshot *snapshot,
                           const ob_exchange *exchange, ob_slice shown,
                           const ob_authkey **key, unsigned *retry_after_s)
{
    const ob_request *request = ob_exchange_request(exchange);
    int64_t now_ms = ob_exchange_now_ms(exchange);
    *retry_after_s =
        ob_throttle_waits(gateway->throttle, request->peer, now_ms);
    if (*retry_after_s)
        return OB_AGAIN;
    ob_status status =
        ob_authkeys_find(snapshot->authkeys, shown, now_ms / 1000, key);
    if (status == OB_NOT_FOUND)
        (void)ob_throttle_wrong(gateway->throttle, request->peer, now_ms);
    return status;
}
