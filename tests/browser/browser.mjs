/*
 * browser.mjs - Debian's Chromium on the console: signed in, in a given size
 * and look, with everything noted that goes wrong in it.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const HERE = dirname(fileURLToPath(import.meta.url));
const AXE = readFileSync(
    createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
    'utf8',
);
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const SHOTS = resolve(
    HERE,
    process.env.SCREENSHOTS ?? '../../build-browser/screenshots',
);

/* A reason to pass over the tests, or false. */
export const missing = existsSync(CHROMIUM)
    ? false
    : `there is no ${CHROMIUM}: ./dev setup test installs it`;

export const sizes = {
    desktop: { width: 1280, height: 800 },
    phone: { width: 390, height: 844 },
};

export async function startBrowser() {
    mkdirSync(SHOTS, { recursive: true });
    return chromium.launch({
        executablePath: CHROMIUM,
        args: [
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--disable-quic',
            '--no-first-run',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-sync',
        ],
    });
}

/* What the page notes about itself, from before its first script. */
function watch() {
    window.noted = { shift: 0, violations: [] };
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries())
            if (!entry.hadRecentInput) window.noted.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
    document.addEventListener('securitypolicyviolation', (event) => {
        window.noted.violations.push(
            `${event.violatedDirective} ${event.blockedURI}`,
        );
    });
}

export class Visit {
    /* `expected`: console messages that this visit brings about itself. */
    static async open(
        browser,
        url,
        {
            size = 'desktop',
            look = 'light',
            language = 'en-US',
            expected = /^$/,
        } = {},
    ) {
        const visit = new Visit();
        visit.url = url;
        visit.name = `${size}-${look}`;
        visit.problems = [];
        visit.context = await browser.newContext({
            viewport: sizes[size],
            colorScheme: look,
            locale: language,
            deviceScaleFactor: 1,
            hasTouch: size === 'phone',
            reducedMotion: 'reduce',
        });
        await visit.context.addInitScript(watch);
        visit.page = await visit.context.newPage();
        visit.page.setDefaultTimeout(8000);
        const note = (text) => {
            if (!expected.test(text)) visit.problems.push(text);
        };
        visit.page.on('console', (message) => {
            if (['error', 'warning'].includes(message.type()))
                note(`${message.text()} ${message.location().url}`);
        });
        visit.page.on('pageerror', (error) =>
            note(`${error.message}\n${error.stack}`),
        );
        visit.page.on('dialog', (dialog) => {
            visit.problems.push(`a dialog: ${dialog.message()}`);
            dialog.dismiss();
        });
        return visit;
    }

    /* As a person does. */
    async signIn(authKey) {
        await this.page.goto(this.url);
        await this.page.locator('input[name=auth_key]').fill(authKey);
        await this.page.locator('input[name=auth_key]').press('Enter');
        await this.page.locator('nav').first().waitFor({ state: 'attached' });
        return this;
    }

    async go(path) {
        await this.page.goto(this.url + path);
        await this.settle();
    }

    /* Nothing is being read any more. */
    async settle() {
        await this.page.waitForLoadState('networkidle').catch(() => {});
        await this.page.waitForFunction(
            () => !document.querySelector('.waiting'),
        );
    }

    async shot(name) {
        await this.page.screenshot({
            path: join(SHOTS, `${name}-${this.name}.png`),
        });
    }

    async wholeShot(name) {
        await this.page.screenshot({
            path: join(SHOTS, `${name}-${this.name}.png`),
            fullPage: true,
        });
    }

    /* The page is not wider than the screen, and nothing went wrong in it. */
    async holds(what) {
        const { wide, width, noted } = await this.page.evaluate(() => ({
            wide: document.documentElement.scrollWidth,
            width: document.documentElement.clientWidth,
            noted: window.noted,
        }));
        assert.ok(
            wide <= width,
            `${what}: the page is ${wide} wide on a screen of ${width}`,
        );
        assert.deepEqual(noted.violations, [], `${what}: against the policy`);
        assert.deepEqual(
            this.problems,
            [],
            `${what}: in the browser's console`,
        );
    }

    async layoutShift() {
        return this.page.evaluate(() => window.noted.shift);
    }

    /* Serious and critical findings of axe. */
    async accessible(what) {
        /* Through the debugger, which the page's policy does not bind. */
        await this.page.evaluate(AXE);
        const { violations } = await this.page.evaluate(() => window.axe.run());
        const grave = violations
            .filter(({ impact }) => ['serious', 'critical'].includes(impact))
            .map(
                ({ id, help, nodes }) =>
                    `${id}: ${help}\n    ${nodes
                        .slice(0, 4)
                        .map((n) => `${n.target}: ${n.failureSummary}`)
                        .join('\n    ')}`,
            );
        assert.deepEqual(grave, [], `${what}: axe`);
    }

    async close() {
        await this.context.close();
    }
}
