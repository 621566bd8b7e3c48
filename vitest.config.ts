/**
 * Rings of the TypeScript tests. One process at a time in the rings that make namespaces; two
 * workers at most elsewhere, because the smallest machine that we promise to work on has two cores.
 */
import { defineConfig } from 'vitest/config';

/** Longest a test of namespaces may take: it starts whole worlds. */
const NETNS_TEST_TIMEOUT_MS = 180_000;

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
          ],
          testTimeout: 20_000,
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
