/* relay.mjs - performs for one request what the core decides. */
import { ANSWER, ASK, COMMIT, Event, OPEN, READ, SEND, WAIT } from './core.mjs';
import { operate } from './operate.mjs';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const LATE = Symbol('late');
const isFault = (error) => error instanceof WebAssembly.RuntimeError;

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
            if (isFault(error)) throw error;
            return this.core.step(this.call, Event.FAILED);
        }
    }

    begin() {
        return this.next(this.head, (response) => {
            this.response = response;
            this.reader = response.body?.getReader();
            return this.core.step(
                this.call,
                Event.HEAD,
                JSON.stringify([...response.headers]),
                response.status,
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
async function pump(job, writable) {
    const { core, call, attempt } = job;
    const writer = writable.getWriter();
    try {
        for (;;) {
            const { done, value } = await attempt.reader.read();
            if (done || job.over) return;
            const bytes = core.pass(call, value);
            if (bytes.length) await writer.write(bytes);
        }
    } finally {
        writer.releaseLock();
    }
}

/* The same untouched, which costs no JavaScript; ends the answer, too. */
async function pipe({ attempt }, writable) {
    attempt.reader.releaseLock();
    await attempt.response.body.pipeTo(writable);
}

async function write(writable, bytes) {
    const writer = writable.getWriter();
    if (bytes.length) await writer.write(bytes);
    writer.releaseLock();
}

async function follow(job, step, writable) {
    const pass = step.seen ? pump : pipe;
    try {
        await write(writable, step.body);
        const whole = await pass(job, writable).then(
            () => true,
            (error) => {
                if (isFault(error)) throw error;
                return false;
            },
        );
        if (job.over) return;
        const end = job.core.finish(job.call, whole);
        if (!step.seen) return;
        await write(writable, end.tail);
        await (end.whole
            ? writable.close()
            : writable.abort(new Error('the provider broke off')));
    } catch (error) {
        /* Else the caller has gone. */
        if (!isFault(error)) return;
        await writable.abort(error);
        throw error;
    } finally {
        abandon(job);
    }
}

function commit(job, step) {
    const { core, call, attempt } = job;
    const { status, headers, length } = step;
    job.answered = true;
    attempt.keep();
    if (status === 101) {
        const { webSocket } = attempt.response;
        core.finish(call, true);
        core.close(call);
        return new Response(null, { status, headers, webSocket });
    }
    const { readable, writable } =
        length === undefined
            ? new IdentityTransformStream()
            : new FixedLengthStream(length);
    job.after(follow(job, step, writable));
    return new Response(readable, { status, headers });
}

function answer(job, { status, headers, body }) {
    abandon(job);
    return new Response(body.length ? body : null, { status, headers });
}

/* One step of what is to be done; gives the next, or the answer. */
async function perform(job, step) {
    const { core, call } = job;
    switch (step.what) {
        case READ:
            return job.attempt.read();
        case SEND:
            job.attempt?.cancel();
            job.attempt = new Attempt(core, call, step, step.body ?? job.body);
            return job.attempt.begin();
        case OPEN:
            return core.step(call, Event.OPENED, await job.sealer.open(step));
        case WAIT:
            job.attempt?.cancel();
            await sleep(step.ms);
            return core.step(call, Event.WAKE);
        case COMMIT:
            return commit(job, step);
        case ASK:
            return core.step(call, Event.RESULTS, await operate(step.asked, job));
        case ANSWER:
            job.attempt?.cancel();
            return answer(job, step);
    }
}

/* All is over, or the caller has gone: so does its attempt, and nothing more is
 * told to the core. */
function abandon(job) {
    if (job.over) return;
    job.over = true;
    job.attempt?.cancel();
    job.core.close(job.call);
}

/* What is done without a caller; as if one were answered. */
export async function tend(room) {
    const head = { method: '', url: '', headers: [] };
    const call = room.core.open(head, new Uint8Array());
    const job = { ...room, call };
    try {
        let step = room.core.step(call, Event.TEND);
        while (!(step instanceof Response)) step = await perform(job, step);
        return step;
    } finally {
        abandon(job);
    }
}

export async function relay({ core, sealer, db, request, after }) {
    const body = new Uint8Array(await request.arrayBuffer());
    const { method, url, headers } = request;
    const call = core.open({ method, url, headers: [...headers] }, body);
    const job = { core, sealer, db, call, body, after };
    const gone = new Promise((done) => {
        request.signal.addEventListener('abort', () => done(abandon(job)));
    });
    try {
        let step = core.step(call, Event.BEGIN);
        while (step && !(step instanceof Response))
            step = await Promise.race([perform(job, step), gone]);
        return step ?? new Response(null, { status: 499 });
    } finally {
        if (!job.answered) abandon(job);
    }
}
