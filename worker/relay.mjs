/* relay.mjs - performs for one request what the core decides. */
import { ANSWER, COMMIT, Event, OPEN, READ, SEND, WAIT } from './core.mjs';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const LATE = Symbol('late');

/* One request to a provider, until its answer is given up or passed on. */
class Attempt {
    constructor(core, call, step, body) {
        this.core = core;
        this.call = call;
        this.controller = new AbortController();
        this.late = new Promise((done) => {
            this.timer = setTimeout(() => done(LATE), step.ms);
        });
        this.head = fetch(step.url, {
            method: step.method,
            headers: step.headers,
            body: body.byteLength ? body : undefined,
            redirect: 'manual',
            signal: this.controller.signal,
        });
    }

    /* What comes first: it, or the end of its time. Gives the next step. */
    async next(coming, tell) {
        try {
            const came = await Promise.race([coming, this.late]);
            return came === LATE
                ? this.core.step(this.call, Event.LATE)
                : tell(came);
        } catch (error) {
            if (error instanceof WebAssembly.RuntimeError) throw error;
            return this.core.step(this.call, Event.FAILED);
        }
    }

    begin() {
        return this.next(this.head, (response) => {
            this.response = response;
            this.reader = response.body?.getReader();
            return this.core.step(
                this.call, Event.HEAD,
                JSON.stringify([...response.headers]), response.status,
            );
        });
    }

    read() {
        const coming = this.reader?.read() ?? { done: true };
        return this.next(coming, ({ done, value }) =>
            done
                ? this.core.step(this.call, Event.END)
                : this.core.step(this.call, Event.BODY, value),
        );
    }

    /* Its answer goes on: no longer is it late. */
    keep() {
        clearTimeout(this.timer);
    }

    cancel() {
        clearTimeout(this.timer);
        this.head.catch(() => {});
        this.controller.abort();
    }
}

/* The rest of a committed answer, seen by the core piece by piece. */
async function pump(core, call, attempt, writable) {
    const writer = writable.getWriter();
    try {
        for (;;) {
            const { done, value } = await attempt.reader.read();
            if (done) return;
            const bytes = core.pass(call, value);
            if (bytes.length) await writer.write(bytes);
        }
    } finally {
        writer.releaseLock();
    }
}

/* The same untouched, which costs no JavaScript. */
async function pipe(core, call, attempt, writable) {
    attempt.reader.releaseLock();
    await attempt.response.body.pipeTo(writable, {
        preventClose: true,
        preventAbort: true,
    });
}

async function write(writable, bytes) {
    const writer = writable.getWriter();
    if (bytes.length) await writer.write(bytes);
    writer.releaseLock();
}

async function follow(core, call, step, attempt, writable) {
    const pass = step.seen ? pump : pipe;
    try {
        await write(writable, step.body);
        const whole = await pass(core, call, attempt, writable).then(
            () => true,
            () => false,
        );
        const end = core.finish(call, whole);
        await write(writable, end.tail);
        await (end.whole
            ? writable.close()
            : writable.abort(new Error('the provider broke off')));
    } catch {
        /* The caller has gone. */
    } finally {
        attempt.cancel();
        core.close(call);
    }
}

function commit(core, call, step, attempt, ctx) {
    const { status, headers } = step;
    attempt.keep();
    if (status === 101) {
        const { webSocket } = attempt.response;
        core.finish(call, true);
        core.close(call);
        return new Response(null, { status, headers, webSocket });
    }
    const { readable, writable } = new IdentityTransformStream();
    ctx.waitUntil(follow(core, call, step, attempt, writable));
    return new Response(readable, { status, headers });
}

function answer(core, call, { status, headers, body }) {
    core.close(call);
    return new Response(body.length ? body : null, { status, headers });
}

export async function relay({ core, sealer, request, ctx }) {
    const body = new Uint8Array(await request.arrayBuffer());
    const { method, url } = request;
    const call = core.open({ method, url, headers: [...request.headers] }, body);
    let attempt;
    let step = core.step(call, Event.BEGIN);
    for (;;) {
        switch (step.what) {
            case READ:
                step = await attempt.read();
                break;
            case SEND:
                attempt?.cancel();
                attempt = new Attempt(core, call, step, step.body ?? body);
                step = await attempt.begin();
                break;
            case OPEN:
                step = core.step(call, Event.OPENED, await sealer.open(step));
                break;
            case WAIT:
                attempt?.cancel();
                await sleep(step.ms);
                step = core.step(call, Event.WAKE);
                break;
            case COMMIT:
                return commit(core, call, step, attempt, ctx);
            case ANSWER:
                attempt?.cancel();
                return answer(core, call, step);
        }
    }
}
