/*
 * refusals.mjs - the ways in which the gateway itself refuses, one room each,
 * so that every SDK's suite can show that it raises its own class for them.
 *
 *   status: [what the world looks like, what the request looks like]
 */
import { secret } from './harness.mjs';
import { good, limited, silent } from './mock.mjs';

const GOOD = secret('good');

/* Nobody listens there. A port that was taken and given back may be another
 * test's by the time it is asked. */
const DEAD_URL = 'http://127.0.0.1:1';

/*
 * Brings up a gateway that will refuse a good request to `provider` with
 * `status`. Gives { gateway, key, model, text }: the auth key, the model and
 * the prompt to ask with.
 */
export async function refusal(room, status, provider, model) {
    const keys = { [provider]: [GOOD] };
    const asked = { key: undefined, model, text: 'Hello' };
    const world = async (options) => {
        const { gateway, mock } = await room.world(options);
        return { gateway, mock, ...asked, key: asked.key ?? gateway.authKey };
    };
    switch (status) {
        case 400:
            asked.model = undefined;
            return world({ keys });
        case 401:
            asked.key = 'auth-nobody-knows';
            return world({ keys });
        case 403:
            asked.key = 'auth-restricted-to-groq';
            return world({
                keys,
                authKey: `auth-unrestricted-0123456789;${asked.key}=groq`,
            });
        case 413:
            asked.text = 'long '.repeat(20000);
            return world({
                keys,
                config: { limits: { request_body_bytes_max: 65536 } },
            });
        case 429: {
            const made = await world({
                keys,
                config: { timeouts: { queue_ms: 100 } },
            });
            made.mock.script(GOOD, limited(40), good());
            return made;
        }
        case 502: {
            return world({
                keys,
                providers: { [provider]: { base_url: DEAD_URL } },
                config: { retry: { trouble_max: 1 } },
            });
        }
        case 503:
            return world({});
        case 504: {
            const made = await world({
                keys,
                config: {
                    timeouts: { first_byte_ms: 300 },
                    retry: { trouble_max: 1 },
                },
            });
            made.mock.script(GOOD, silent());
            return made;
        }
        default:
            throw new Error(`no refusal with ${status}`);
    }
}
