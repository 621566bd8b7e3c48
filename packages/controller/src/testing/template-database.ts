/** For tests: what the set-up of a server and the tests on it agree on. */

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the test server's databases, with DATABASE in place of a name. */
    postgresUrl: string | undefined;
  }
}

/** Has the tables already: a copy of it is a fresh database. */
export const TEMPLATE_DATABASE = 'loom_template';
