/*
 * fastclock.mjs - a gateway for which time runs faster, and what its clock
 * shows: see fastclock/fastclock.c.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BINARY } from './harness.mjs';

/* The build has it beside the binary, on Linux. */
const LIBRARY = join(dirname(BINARY), 'tests/integration/libfastclock.so');

/* Why there can be no fast clock; false: there can. */
export const missing = !existsSync(LIBRARY) && `there is no ${LIBRARY}`;

export class FastClock {
    /* `from`: what it shows now, unix milliseconds. */
    constructor(factor, from) {
        Object.assign(this, { factor, from });
        this.made = Date.now();
        this.zero = performance.now();
    }

    /* Unix milliseconds, with a fraction. */
    now() {
        return this.from + (performance.now() - this.zero) * this.factor;
    }

    /* How long so many milliseconds of it really take. */
    real(ms) {
        return ms / this.factor;
    }

    /* The environment of a gateway that lives by it. */
    env() {
        const asan = [process.env.ASAN_OPTIONS, 'verify_asan_link_order=0'];
        return {
            LD_PRELOAD: LIBRARY,
            FASTCLOCK: `${this.factor} ${this.made} ${this.from}`,
            ASAN_OPTIONS: asan.filter(Boolean).join(':'),
        };
    }
}
