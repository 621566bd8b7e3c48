/**
 * A world whose owner gets killed: makes a namespace with a process in it, prints what it made as
 * one JSON line, and waits. Run by
 * 70-lab.test.ts.
 */
import { createWorld } from '@etherloom/lab';

const world = await createWorld();
const namespace = await world.addNamespace('a');
const sleeper = await world.spawn({ label: 'sleep', namespace, argv: ['sleep', '600'] });
const { run, directory } = world;
const made = { run, directory, namespace: namespace.name, pid: sleeper.identity.pid };
process.stdout.write(`${JSON.stringify(made)}\n`);
setInterval(() => {}, 60_000);
