/* core.mjs - core.wasm as JavaScript sees it: memory, texts, calls. */

/* What the core wants done next, and what it can be told: exports.c. */
export const [READ, SEND, OPEN, WAIT, COMMIT, ANSWER, ASK] = Array(7).keys();
const events = 'BEGIN WAKE OPENED HEAD BODY END FAILED LATE RESULTS TEND';
export const Event = Object.fromEntries(
    events.split(' ').map((name, number) => [name, number]),
);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Core {
    constructor(module) {
        this.wasm = new WebAssembly.Instance(module).exports;
        this.wasm._initialize();
        this.out = this.wasm.edge_out();
    }

    /* A copy of a text or of bytes, which the core takes over. */
    give(data) {
        const bytes = typeof data === 'string' ? encoder.encode(data) : data;
        const at = this.wasm.edge_alloc(bytes.length);
        if (!at) throw new Error('the core is out of memory');
        new Uint8Array(this.wasm.memory.buffer, at, bytes.length).set(bytes);
        return [at, bytes.length];
    }

    slots() {
        return new Uint32Array(this.wasm.memory.buffer, this.out, 4);
    }

    get told() {
        const [at, length] = this.slots();
        return decoder.decode(
            new Uint8Array(this.wasm.memory.buffer, at, length),
        );
    }

    /* A copy: the core's memory is its own. */
    get body() {
        const [, , at, length] = this.slots();
        return new Uint8Array(this.wasm.memory.buffer, at, length).slice();
    }

    start(settings) {
        if (this.wasm.edge_start_with(...this.give(JSON.stringify(settings))))
            throw new Error(this.told);
        return JSON.parse(this.told);
    }

    due() {
        return this.wasm.edge_is_due(Date.now());
    }

    queries() {
        this.wasm.edge_queries(Date.now());
        return JSON.parse(this.told);
    }

    load(results) {
        const [at, length] = this.give(JSON.stringify(results));
        if (this.wasm.edge_load_rows(at, length, Date.now()))
            throw new Error('the database does not have what is expected');
    }

    /* What is to be done behind an answer; undefined: nothing. */
    work() {
        this.wasm.edge_take_work(Date.now());
        return this.told ? JSON.parse(this.told) : undefined;
    }

    worked(turn, results) {
        const rows = JSON.stringify(results.map((result) => result.results));
        this.wasm.edge_work_done(turn, ...this.give(rows), Date.now());
    }

    open(head, body) {
        const texts = [...this.give(JSON.stringify(head)), ...this.give(body)];
        const call = this.wasm.edge_open_call(...texts, Date.now());
        if (!call) throw new Error('the core is out of memory');
        return call;
    }

    close(call) {
        this.wasm.edge_close_call(call, Date.now());
    }

    /* Tells what happened; gives { what, …told, body }. */
    step(call, event, data, number = 0) {
        const [at, length] = data === undefined ? [0, 0] : this.give(data);
        const what = this.wasm.edge_step(
            call,
            event,
            number,
            at,
            length,
            Date.now(),
        );
        if (what === READ) return { what };
        const step = JSON.parse(this.told);
        step.what = what;
        if (!step.same) step.body = this.body;
        return step;
    }

    pass(call, bytes) {
        this.wasm.edge_pass_on(call, ...this.give(bytes));
        return this.body;
    }

    finish(call, whole) {
        const is = this.wasm.edge_finish_call(call, whole ? 1 : 0, Date.now());
        return { whole: is === 1, tail: this.body };
    }
}
