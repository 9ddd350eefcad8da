/* refused-keys.mjs - texts that can be no key, and what is said of them: by
 * `one-balance keys add` and by `npm run keys -- add` alike. */
const REFUSED = [
    ['sk with a space', 'sk?…', 'a space inside'],
    [
        '"sk-of-the-test-0001"',
        '"sk-…001"',
        'a quotation mark at its beginning',
    ],
    [
        'sk-t…aaaa',
        'sk…',
        'a mask, not the key itself: export it with --secrets',
    ],
    ['sk-ä-of-the-test-0001', 'sk-?…0001', 'a character outside ASCII inside'],
    ['sk\tof-the-test', 'sk?…', 'a control character inside'],
    ['x'.repeat(4097), 'xxxx…xxxx', 'longer than 4096 bytes'],
];

export const REFUSED_KEYS = REFUSED.map(([text]) => text).join('\n');
export const REFUSED_COUNT = REFUSED.length;
export const REFUSED_LINES = REFUSED.map(
    ([, masked, why]) => `refused ${masked}: ${why}\n`,
).join('');
