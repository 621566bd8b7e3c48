/** For tests: several controllers over one PostgreSQL database, in one process. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresTarget } from '../store/postgres-target.ts';
import type { TestController } from './controller-fixture.ts';
import { makeDataDirectory, startTestController } from './controller-fixture.ts';
import { forgetDatabase, testTarget } from './test-database.ts';

type ControllerChanges = Omit<
  NonNullable<Parameters<typeof startTestController>[0]>,
  'dataDirectory' | 'database'
>;

export interface TestCluster {
  readonly controllers: readonly TestController[];
  readonly target: PostgresTarget;
  /** Starts one more. */
  add(changes?: ControllerChanges): Promise<TestController>;
  /** Stops all that run and removes what they left. */
  remove(): Promise<void>;
}

/** Starts `count` controllers, one after the other, over a database of their own or `given`. */
export async function startTestCluster(
  count: number,
  changes: ControllerChanges = {},
  given?: PostgresTarget,
): Promise<TestCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'etherloom-cluster-test-'));
  const target = given ?? (await testTarget(directory));
  if (target === undefined) throw new Error('these tests are of PostgreSQL');
  const controllers: TestController[] = [];
  const add = async (more: ControllerChanges = changes): Promise<TestController> => {
    const dataDirectory = makeDataDirectory();
    const [first] = controllers;
    // The sealing key is the operator's to hand to each of them.
    if (first !== undefined)
      copyFileSync(
        join(first.dataDirectory, 'authority.kek'),
        join(dataDirectory, 'authority.kek'),
      );
    const started = await startTestController({ ...more, dataDirectory, database: target });
    controllers.push(started);
    return started;
  };
  for (let i = 0; i < count; i += 1) await add();
  return {
    controllers,
    target,
    add,
    async remove() {
      for (const controller of controllers) await controller.remove();
      if (given === undefined) await forgetDatabase(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
