/* sealing.mjs - provider keys as rows of the table `keys`: what src/store
 * writes, for the command line. */
import { blob, quoted } from './d1.mjs';

const KEY_BYTES_MAX = 4096;
const REMARK_BYTES_MAX = 1024;

export const bytesOf = (text) => Buffer.byteLength(text);

/* Why a text is no key; as ob_key_refusal() has it. */
export function refusal(secret) {
    if (!secret) return 'empty';
    if (secret.length > KEY_BYTES_MAX) return 'longer than 4096 bytes';
    if (secret.includes('…')) return 'a mask, not the key itself';
    if (/[\x00-\x1f\x7f]/.test(secret)) return 'a control character inside';
    if (secret.includes(' ')) return 'a space inside';
    if (/[^\x00-\x7f]/.test(secret)) return 'a character outside ASCII inside';
    if (/^["']/.test(secret)) return 'a quotation mark at its beginning';
    return null;
}

/* Why a text is no remark; as keys_command.c has it. */
export function remarkRefusal(remark) {
    if (bytesOf(remark) > REMARK_BYTES_MAX) return 'longer than 1024 bytes';
    if (/[\x00-\x1f\x7f]/.test(remark)) return 'a control character inside';
    return null;
}

export function masked(secret) {
    const shown = secret.length >= 16 ? 4 : secret.length >> 2;
    const end = secret.length >= 16 ? secret.slice(-shown) : '';
    return `${secret.slice(0, shown)}…${end}`.replaceAll(/[^ -~…]/g, '?');
}

/* The columns of sealedRow(), and the revision behind them. */
export const COLUMNS =
    'provider, fingerprint, sealed, status, blocked_reason, remark, ' +
    'created_at, total_cooling_ms, priority, weight, revision';

/* { text, fingerprint }: the text is SQL for one row but its revision. */
export async function sealedRow(sealer, key) {
    const { provider, secret, remark = '', reason = '' } = key;
    const { sealed, fingerprint } = await sealer.seal(provider, secret);
    const values = [
        quoted(provider),
        blob(fingerprint),
        blob(sealed),
        reason ? "'blocked'" : "'active'",
        quoted(reason),
        quoted(remark),
        key.created_at ?? Math.floor(Date.now() / 1000),
        key.total_cooling_ms ?? 0,
        key.priority ?? 0,
        key.weight ?? 1,
    ];
    return {
        text: values.join(', '),
        fingerprint: Buffer.from(fingerprint).toString('hex'),
    };
}
