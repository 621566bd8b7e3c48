/**
 * Rings of the TypeScript tests. One process at a time in the rings that make namespaces; two
 * workers at most elsewhere, because the smallest machine that we promise to work on has two cores.
 */
import { defineConfig } from 'vitest/config';

/** Longest a test of namespaces may take: it starts whole worlds. */
const NETNS_TEST_TIMEOUT_MS = 180_000;

/** Longest a journey through the console may take, on a machine that does other things. */
const E2E_TEST_TIMEOUT_MS = 180_000;
/** As long as the browser's own waits. */
const E2E_POLL_TIMEOUT_MS = 15_000;

export default defineConfig({
  test: {
    maxWorkers: 2,
    passWithNoTests: false,
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'tools/**/*.test.ts',
            'bench/**/*.test.ts',
            'test/malice/**/*.test.ts',
            'test/soak/**/*.test.ts',
            'test/sim-agents/**/*.test.ts',
          ],
          // Those that need a server of PostgreSQL, by their names.
          exclude: ['packages/controller/src/**/*postgres*.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        // The controller's tests again, on the other engine, and those of that engine.
        test: {
          name: 'postgres',
          include: ['packages/controller/src/**/*.test.ts'],
          exclude: [
            'packages/controller/src/{addressing,data}/**',
            // They walk all routes, or log in with slow hashes: of the database they ask little.
            'packages/controller/src/http/conformance.test.ts',
            'packages/controller/src/access/{isolation,single-sign-on}.test.ts',
            'packages/controller/src/audit/every-route.test.ts',
            'packages/controller/src/**/*sqlite*.test.ts',
            'packages/controller/src/{main,database-commands}.test.ts',
          ],
          globalSetup: ['packages/controller/src/testing/postgres-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'sim',
          include: ['test/sim/**/*.test.ts', 'packages/*/test/sim/**/*.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'differential',
          include: ['test/differential/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'netns',
          include: ['test/netns/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: NETNS_TEST_TIMEOUT_MS,
          hookTimeout: NETNS_TEST_TIMEOUT_MS,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          expect: { poll: { timeout: E2E_POLL_TIMEOUT_MS } },
          fileParallelism: false,
          testTimeout: E2E_TEST_TIMEOUT_MS,
          hookTimeout: E2E_TEST_TIMEOUT_MS,
        },
      },
      {
        test: {
          name: 'tsan',
          include: ['test/tsan/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: NETNS_TEST_TIMEOUT_MS,
          hookTimeout: NETNS_TEST_TIMEOUT_MS,
        },
      },
    ],
  },
});
