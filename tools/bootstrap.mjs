#!/usr/bin/env node
/**
 * What `npm start`, `npm test` and `npm run bench` run first. Plain JavaScript for Node 20, without
 * dependencies: on a fresh Debian
 * 12 nothing else is there. It installs the system packages that are missing, the npm packages with
 * the pinned Node, and compiles the
 * data path; then it runs what was asked for with the pinned Node. Each part is skipped when its
 * result is there.
 *
 *   node tools/bootstrap.mjs start|test|bench|check|sim|fuzz|soak|sim-agents -- ARGUMENTS
 *
 * Set-up prints to standard error, so that standard output holds what the program itself prints.
 * Set-ups of one checkout
 * exclude each other by a lock (flock), since two `npm ci` at a time would break each other.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PINNED_NODE = join(ROOT, 'node_modules/node/bin/node');
const CACHE = join(ROOT, '.cache');
const NODE_MAJOR_MIN = 20;
const APT_ENV = { DEBIAN_FRONTEND: 'noninteractive' };
/** Lines of a failed step that are shown. */
const TAIL_LINES = 40;

const command = (name) => () =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .concat('/usr/sbin', '/sbin')
    .some((directory) => existsSync(join(directory, name)));
const file = (path) => () => existsSync(path);
const sanitizer = () => {
  const directory = '/usr/lib/clang';
  return (
    existsSync(directory) &&
    readdirSync(directory).some((version) => existsSync(join(directory, version, 'lib/linux')))
  );
};

/** A PostgreSQL server of the oldest version that is supported, or a later one. */
const postgres = () => {
  const directory = '/usr/lib/postgresql';
  return (
    existsSync(directory) &&
    readdirSync(directory).some(
      (version) =>
        Number(version) >= 15 && existsSync(join(directory, version, 'bin/pg_basebackup')),
    )
  );
};

/**
 * System packages: how to see that what they give is there, and why it is needed. Optional ones may
 * fail to install.
 */
const BASE_PACKAGES = [
  { name: 'make', isThere: command('make'), why: 'builds the data path' },
  { name: 'gcc', isThere: command('gcc'), why: 'compiles the data path' },
  { name: 'libc6-dev', isThere: file('/usr/include/stdio.h'), why: 'headers of the C library' },
  {
    name: 'linux-libc-dev',
    isThere: file('/usr/include/linux/if_tun.h'),
    why: 'headers of the kernel: TAP, UDP segmentation',
  },
  { name: 'libssl-dev', isThere: file('/usr/include/openssl/evp.h'), why: 'AES-256-GCM' },
  {
    name: 'libipsec-mb-dev',
    isThere: file('/usr/include/intel-ipsec-mb.h'),
    why: 'AES-256-GCM, 1.35 times faster than OpenSSL',
    onlyOn: 'x64',
    isOptional: true,
  },
  { name: 'iproute2', isThere: command('ip'), why: 'network namespaces, devices, addresses' },
  { name: 'iputils-ping', isThere: command('ping'), why: 'ping through the overlay' },
  { name: 'iperf3', isThere: command('iperf3'), why: 'measures throughput' },
  { name: 'ethtool', isThere: command('ethtool'), why: 'reads and sets offloads of devices' },
];
const NFTABLES = {
  name: 'nftables',
  isThere: command('nft'),
  why: 'faults in the underlay: drops, address translation',
};
const TEST_PACKAGES = [
  { name: 'clang', isThere: command('clang'), why: 'second compiler, sanitizers, fuzzing' },
  { name: 'clang-tidy', isThere: command('clang-tidy'), why: 'static checks of the C code' },
  {
    name: 'libclang-rt-14-dev',
    isThere: sanitizer,
    why: 'sanitizer and fuzzer libraries of clang',
    isOptional: true,
  },
  NFTABLES,
  { name: 'chromium', isThere: command('chromium'), why: 'journeys through the console' },
  { name: 'postgresql', isThere: postgres, why: 'the controller keeps its state in it, too' },
  { name: 'procps', isThere: command('ps'), why: 'lists the processes that a test left' },
  { name: 'tcpdump', isThere: command('tcpdump'), why: 'looks at what really crosses a device' },
];
const BENCH_PACKAGES = [
  {
    name: 'wireguard-tools',
    isThere: command('wg'),
    why: 'compared in the bench',
    isOptional: true,
  },
  {
    name: 'wireguard-go',
    isThere: command('wireguard-go'),
    why: 'compared in the bench',
    isOptional: true,
  },
];

/** What each word needs and runs. */
const WORDS = {
  start: {
    packages: BASE_PACKAGES,
    run: (args) => [PINNED_NODE, 'packages/lab/src/first-light.ts', ...args],
  },
  test: {
    packages: [...BASE_PACKAGES, ...TEST_PACKAGES, ...BENCH_PACKAGES],
    run: (args) => make('test', args),
  },
  bench: {
    packages: [...BASE_PACKAGES, NFTABLES, ...BENCH_PACKAGES],
    run: (args) => make('bench', args),
  },
  check: { packages: [...BASE_PACKAGES, ...TEST_PACKAGES], run: (args) => make('check', args) },
  sim: { packages: BASE_PACKAGES, run: (args) => make('sim', args) },
  fuzz: { packages: [...BASE_PACKAGES, ...TEST_PACKAGES], run: (args) => make('fuzz', args) },
  soak: { packages: [...BASE_PACKAGES, ...TEST_PACKAGES], run: (args) => make('soak', args) },
  'sim-agents': {
    packages: BASE_PACKAGES,
    run: (args) => [PINNED_NODE, 'test/sim-agents/run.ts', ...args],
  },
};

/** Thrown for what a person has to change; its message is all that is printed. */
class Refusal extends Error {}

process.exitCode = await main(process.argv.slice(2));

async function main([first, ...rest]) {
  const isSetup = first === '--setup';
  const word = isSetup ? rest[0] : first;
  try {
    const plan = Object.hasOwn(WORDS, word ?? '') ? WORDS[word] : undefined;
    if (plan === undefined) {
      process.stderr.write(
        `usage: node tools/bootstrap.mjs ${Object.keys(WORDS).join('|')} -- ARGUMENTS\n`,
      );
      return 2;
    }
    if (isSetup) {
      await setUp(plan.packages);
      return 0;
    }
    assertMachine(word);
    const args = rest[0] === '--' ? rest.slice(1) : rest;
    const status = await setUpLocked(word);
    return status === 0 ? await runToEnd(plan.run(args)) : status;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

function assertMachine(word) {
  if (process.platform !== 'linux') {
    throw new Refusal(
      `etherloom runs on Linux; this is ${process.platform}. A Debian 12 virtual machine is enough.`,
    );
  }
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
    throw new Refusal(
      `Node ${NODE_MAJOR_MIN} or newer is needed to begin; this is ${process.versions.node}.`,
    );
  }
  if (process.getuid() !== 0) {
    const npmWord = word === 'start' || word === 'test' ? word : `run ${word}`;
    throw new Refusal(
      `etherloom needs root here: it makes network namespaces and TAP devices. Run: sudo npm ${npmWord}\n` +
        '(`make check` runs every test that needs no root.)',
    );
  }
  if (!existsSync('/dev/net/tun')) {
    throw new Refusal(
      '/dev/net/tun is missing: load the module (modprobe tun), or give the container that device.',
    );
  }
}

/** Runs the set-up in a child under a lock. */
function setUpLocked(word) {
  mkdirSync(CACHE, { recursive: true });
  const self = fileURLToPath(import.meta.url);
  const child = spawn(
    'flock',
    [join(CACHE, 'bootstrap.lock'), process.execPath, self, '--setup', word],
    {
      cwd: ROOT,
      stdio: ['ignore', 2, 2],
    },
  );
  return settle(child, 'flock (package util-linux)');
}

async function setUp(packages) {
  const steps = [
    { title: 'system packages', run: () => installSystemPackages(packages) },
    { title: 'npm packages and the pinned Node', run: installNpmPackages },
    { title: 'compiling the data path', run: compileDataPath },
    { title: 'building the console', run: buildConsole },
  ];
  for (const [i, step] of steps.entries()) {
    const began = performance.now();
    process.stderr.write(`[${i + 1}/${steps.length}] ${step.title} ... `);
    const said = await step.run();
    process.stderr.write(`${said ?? `${((performance.now() - began) / 1000).toFixed(1)} s`}\n`);
  }
}

/** Installs what is missing; resolves to a word when nothing was. */
async function installSystemPackages(packages) {
  const missing = packages.filter((item) => (item.onlyOn ?? arch()) === arch() && !item.isThere());
  if (missing.length === 0) return 'present';
  const needed = missing.filter((item) => !item.isOptional);
  if (!command('apt-get')()) {
    if (needed.length === 0) return 'present';
    throw new Refusal(
      `\nmissing, and there is no apt-get to install it:\n${needed.map(describe).join('\n')}`,
    );
  }
  process.stderr.write(`\n${missing.map(describe).join('\n')}\n      installing ... `);
  const hadLists = hasPackageLists();
  if (!hadLists) await aptGet(['update']);
  const names = missing.map(({ name }) => name);
  if (await aptInstall(names)) return undefined;
  // One that this release does not have must not keep the others out.
  if (needed.length > 0) {
    if (hadLists) await aptGet(['update']);
    await aptGet(['install', '-y', '--no-install-recommends', ...needed.map(({ name }) => name)]);
  }
  for (const { name } of missing.filter((item) => item.isOptional)) {
    if (!(await aptInstall([name]))) process.stderr.write(`(without ${name}) `);
  }
  return undefined;
}

function describe({ name, why }) {
  return `      ${name.padEnd(20)} ${why}`;
}

function hasPackageLists() {
  const directory = '/var/lib/apt/lists';
  return existsSync(directory) && readdirSync(directory).some((name) => name.includes('_Packages'));
}

async function aptInstall(names) {
  const { status } = await capture(
    'apt-get',
    aptArguments(['install', '-y', '--no-install-recommends', ...names]),
    APT_ENV,
  );
  return status === 0;
}

async function aptGet(args) {
  const { status, output } = await capture('apt-get', aptArguments(args), APT_ENV);
  if (status !== 0) throw new Refusal(`\napt-get ${args[0]} failed:\n${tail(output)}`);
}

/** Another apt at work is waited for. */
function aptArguments(args) {
  return ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args];
}

async function installNpmPackages() {
  if (isInstalled()) return 'present';
  // The registry's certificates and settings are the machine's; scripts run, because one of them
  // brings the pinned Node.
  const { status, output } = await capture(
    'npm',
    ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
    {},
  );
  if (status !== 0) throw new Refusal(`\n\`npm ci\` failed:\n${headAndTail(output)}`);
  if (!isExecutable(PINNED_NODE)) {
    throw new Refusal(
      `\n${PINNED_NODE} is missing after \`npm ci\`: is ignore-scripts set? Run: npm ci --ignore-scripts=false`,
    );
  }
  return undefined;
}

/** Whether node_modules holds what package-lock.json lists (packages of other platforms apart). */
function isInstalled() {
  if (!isExecutable(PINNED_NODE)) return false;
  const wanted = readJson(join(ROOT, 'package-lock.json'))?.packages ?? {};
  const found = readJson(join(ROOT, 'node_modules/.package-lock.json'))?.packages ?? {};
  return Object.entries(wanted).every(([path, item]) => {
    if (!path.includes('node_modules/')) return true;
    if (item.link) return existsSync(join(ROOT, path));
    const isVersion =
      found[path]?.version === item.version && found[path]?.integrity === item.integrity;
    return isVersion || (found[path] === undefined && item.optional === true);
  });
}

async function compileDataPath() {
  const { status, output } = await capture('make', ['datapath', `-j${cpus().length}`], {});
  if (status !== 0) throw new Refusal(`\ncompiling the data path failed:\n${tail(output)}`);
}

async function buildConsole() {
  const { status, output } = await capture('make', ['console'], {});
  if (status !== 0) throw new Refusal(`\nbuilding the console failed:\n${tail(output)}`);
}

function make(target, args) {
  const quoted = args.map((arg) => `'${arg.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  return ['make', target, ...(args.length > 0 ? [`ARGS=${quoted.replaceAll('$', '$$$$')}`] : [])];
}

/**
 * Runs the program in the foreground. It hears of this process's end by its channel, and of signals
 * by their being passed on. When npm
 * started this and is killed, nobody is left who could stop the program: it is asked to end.
 */
async function runToEnd([program, ...args]) {
  const env = {
    ...process.env,
    PATH: `${join(ROOT, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
  };
  const isNode = program === PINNED_NODE;
  const child = spawn(program, args, {
    cwd: ROOT,
    env,
    stdio: ['inherit', 'inherit', 'inherit', ...(isNode ? ['ipc'] : [])],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  const watch = watchStarter(() => child.kill('SIGTERM'));
  const status = await settle(child, program);
  clearInterval(watch);
  return status;
}

/** Calls back when the npm that started this process has ended; undefined when npm did not. */
function watchStarter(onEnd) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const shell = process.ppid;
  // npm may run a shell between: then that shell's parent is npm.
  const starters = [shell, parentOf(shell)].filter((pid) => pid !== null && pid > 1);
  const isNpm = (pid) => /\bnpm\b/.test(readText(`/proc/${pid}/cmdline`));
  const npm = starters.find(isNpm);
  if (npm === undefined) return undefined;
  const began = startTime(npm);
  return setInterval(() => {
    if (startTime(npm) !== began) onEnd();
  }, 1_000);
}

function statFields(pid) {
  const text = readText(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function parentOf(pid) {
  const parent = Number(statFields(pid)[1]);
  return Number.isInteger(parent) ? parent : null;
}

function startTime(pid) {
  return statFields(pid)[19];
}

/** Exit status of a child: 128 and the signal's number when a signal ended it, as shells say it. */
function settle(child, name) {
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new Refusal(`${name} cannot be started: ${error.message}`)),
    );
    child.once('exit', (status, signal) =>
      resolve(status ?? (signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 137)),
    );
  });
}

/** Runs a command and keeps what it prints. */
function capture(name, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-65_536);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) =>
      reject(new Refusal(`\n${name} cannot be started: ${error.message}`)),
    );
    child.once('close', (status) => resolve({ status, output }));
  });
}

/** npm says first what is wrong, and last where its log is. */
function headAndTail(text) {
  const lines = text.trimEnd().split('\n');
  if (lines.length <= TAIL_LINES) return lines.join('\n');
  return [...lines.slice(0, TAIL_LINES - 5), '...', ...lines.slice(-4)].join('\n');
}

function tail(text) {
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return false;
  }
  return spawnSync(path, ['--version']).status === 0;
}
