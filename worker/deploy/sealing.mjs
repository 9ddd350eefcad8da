/* sealing.mjs - provider keys as rows of the table `keys`: what src/store
 * writes, for the command line. */
import { blob, quoted } from './d1.mjs';

const REMARK_BYTES_MAX = 1024;

export const bytesOf = (text) => Buffer.byteLength(text);

/* Why a text is no remark; as keys_command.c has it. */
export function remarkRefusal(remark) {
    if (bytesOf(remark) > REMARK_BYTES_MAX) return 'longer than 1024 bytes';
    if (/[\x00-\x1f\x7f]/.test(remark)) return 'a control character inside';
    return null;
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
