/**
 * Debian's Chromium, driven by playwright-core, for the tests of the console. Every page that a
 * test opens is watched: an error of a script, a refusal by the content security policy or a
 * request to another host fails the test that caused it.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';

/** A wait that reaches this has failed. */
const DEADLINE_MS = 15_000;

/** A small screen of a desk. */
export const DESK = { width: 1_280, height: 800 };
/** A telephone of common size. */
export const TELEPHONE = { width: 390, height: 844 };

/** Where pictures of the pages go when LOOM_PICTURES is set. */
const PICTURES = fileURLToPath(new URL('../../docs/pictures', import.meta.url));

export interface Console {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the browser complained of. */
  readonly complaints: string[];
}

/** Starts the browser. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['LOOM_CHROMIUM'] ?? '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
}

export type Theme = 'light' | 'dark';

/** Opens a page of the console in a browser of its own: no cookies of another test. */
export async function openConsole(
  browser: Browser,
  url: string,
  options: {
    readonly theme?: Theme;
    readonly viewport?: typeof DESK;
    /** Another host that the browser may be sent to. */
    readonly allowed?: string;
  } = {},
): Promise<Console> {
  const context = await browser.newContext({
    baseURL: url,
    // The controller's certificate is its own; agents pin it, browsers ask.
    ignoreHTTPSErrors: true,
    viewport: options.viewport ?? DESK,
    colorScheme: options.theme ?? 'light',
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  context.setDefaultTimeout(DEADLINE_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    // Refusals of calls are answers that pages show; what the browser says of them is no fault.
    if (message.type() === 'error' && !text.startsWith('Failed to load resource'))
      complaints.push(`console: ${text}`);
  });
  page.on('request', (request) => {
    const isAllowed = [url, options.allowed ?? url].some((own) => request.url().startsWith(own));
    if (!isAllowed) complaints.push(`request to another host: ${request.url()}`);
  });
  await page.goto('/');
  return { page, context, complaints };
}

/** What WCAG 2.1 asks for, levels A and AA. */
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];

/** Serious findings of axe on what is shown: by the rules of WCAG, or by those that are named. */
export async function findBarriers(page: Page, rules?: readonly string[]): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode(); // no page has frames
  if (rules === undefined) axe.withTags(WCAG);
  else axe.withRules([...rules]);
  const { violations } = await axe.analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join('; ')}`);
}

/** Pixels by which the page is wider than the screen. */
export async function overflowOf(page: Page): Promise<number> {
  const script = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
  return Number(await page.evaluate(script)); // text: the tests have no types of a browser
}

/** The same on a telephone; leaves the screen as that of a desk, whatever comes of it. */
export async function overflowOnTelephone(page: Page): Promise<number> {
  await page.setViewportSize(TELEPHONE);
  try {
    return await overflowOf(page);
  } finally {
    await page.setViewportSize(DESK);
  }
}

/** What was copied last; a page copies after the press, not with it. */
export async function readClipboard(page: Page): Promise<string> {
  return String(await page.evaluate('navigator.clipboard.readText()'));
}

/** Keeps a picture of what is shown, when asked to. */
export async function takePicture(page: Page, name: string): Promise<void> {
  if (process.env['LOOM_PICTURES'] === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/${name}.png`, animations: 'disabled' });
}

/** Fails when the browser complained of anything. */
export function expectQuiet(console: Console): void {
  expect(console.complaints).toEqual([]);
}
