/* raw.mjs - requests as text, for the tests that write their own bytes. */
import assert from 'node:assert/strict';
import { TEXT } from './dialects.mjs';
import { AUTH } from './harness.mjs';

export const BODY =
    '{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}';
export const STREAMED = BODY.replace('{', '{"stream":true,');

/* A request as text; a header that is given replaces the usual one, null
 * leaves it out. */
export function request({
    method = 'POST',
    target = '/api/openai/chat/completions',
    version = '1.1',
    headers = {},
    body = BODY,
} = {}) {
    const usual = {
        Host: 'gateway',
        Authorization: `Bearer ${AUTH}`,
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
    };
    const lines = Object.entries({ ...usual, ...headers })
        .filter(([, value]) => value !== null)
        .map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n${body}`;
}

export const get = (target, rest = {}) =>
    request({
        method: 'GET',
        target,
        body: '',
        ...rest,
        headers: {
            'Content-Length': null,
            'Content-Type': null,
            ...rest.headers,
        },
    });

export function assertAnswered(response) {
    assert.equal(response.status, 200, response.body.toString());
    assert.ok(response.complete);
    assert.equal(JSON.parse(response.body).choices[0].message.content, TEXT);
    assert.ok(response.head.get('x-request-id'));
}
