/**
 * For tests: machines with disks, copies of them, and a controller that judges by the functions
 * beside this file. Links, deaths between any two steps, lost answers, copies and older disks are
 * operations; what is true after them is the test's matter.
 */
import type { CloneRule, HostHints, Lease } from '@etherloom/api';
import { advance, compareLease, firstLease, leaseHash, passOn, takeEpoch } from './ratchet.ts';
import { presentLease, withNext } from './ratchet.ts';
import type { HeldLease, LeaseRecord } from './ratchet.ts';
import { judgeLease, kinshipOf } from './verdict.ts';
import type { HostMarks } from './verdict.ts';

/** Where a link attempt ends: each is a death of the agent or a loss between two steps. */
export const CUTS = [
  'dies before the next secret is stored',
  'dies before it is sent',
  'answer is lost',
  'dies before the answer is stored',
  'dies after the answer is stored',
  'none',
] as const;
export type Cut = (typeof CUTS)[number];

export type Outcome = 'accept' | 'wait' | 'reject' | 'replace' | 'replaced' | 'split' | 'cut';

interface Process {
  readonly instance: string;
  readonly bootId: string;
  /** The controller's link that this process believes in. */
  link: number | null;
}

export interface Machine {
  readonly index: number;
  readonly machineId: string;
  boots: number;
  disk: HeldLease;
  /** Remembered on disk: the lease was lost for good, or the node became another one. */
  isOut: boolean;
  process: Process | null;
}

interface Link {
  readonly id: number;
  readonly machine: Machine;
  readonly process: Process;
}

export class LeaseModel {
  readonly machines: Machine[] = [];
  readonly #rule: CloneRule;
  readonly #disks: HeldLease[] = [];
  #record: LeaseRecord | undefined;
  #marks: HostMarks | undefined;
  readonly #retired = new Set<string>();
  #link: Link | null = null;
  #heardAtMs = 0;
  #startedAtMs = 0;
  #nowMs = 1_000_000;
  #counter = 0;
  /** Links accepted while a link of another machine still answered. */
  doubleHolders = 0;

  constructor(rule: CloneRule) {
    this.#rule = rule;
    this.#addMachine(firstLease(this.#secret()), 'm0');
  }

  /** The machine whose link is open and answers. */
  get holder(): Machine | null {
    return this.#answers() ? (this.#link?.machine ?? null) : null;
  }

  advanceTime(ms: number): void {
    if (this.#answers()) this.#heardAtMs = this.#nowMs + ms;
    this.#nowMs += ms;
  }

  start(machine: Machine, isBoot: boolean): void {
    if (isBoot) machine.boots += 1;
    const bootId = `${machine.index}-${machine.boots}`;
    machine.process = { instance: this.#secret(), bootId, link: null };
  }

  kill(machine: Machine): void {
    machine.process = null;
  }

  /** The agent's end of a link goes; the controller may not learn it. */
  drop(machine: Machine, isLearnt: boolean): void {
    if (machine.process === null) return;
    if (isLearnt && this.#link?.id === machine.process.link) this.#close();
    machine.process.link = null;
  }

  restartController(): void {
    this.#link = null;
    this.#startedAtMs = this.#nowMs;
    for (const { process } of this.machines) if (process !== null) process.link = null;
  }

  copy(from: Machine, isSameMachineId: boolean): void {
    const copied = this.#addMachine(
      from.disk,
      isSameMachineId ? from.machineId : `m${this.machines.length}`,
    );
    copied.isOut = from.isOut;
    this.start(copied, true);
  }

  keepDisk(machine: Machine): void {
    this.#disks.push(machine.disk);
  }

  /** Ends the machine and puts its disk back; it boots. */
  putBack(machine: Machine, choice: number): void {
    const disk = this.#disks[choice % Math.max(1, this.#disks.length)];
    if (disk === undefined) return;
    machine.disk = disk;
    this.start(machine, true);
  }

  /** One try of a link, cut somewhere. */
  link(machine: Machine, cut: Cut): Outcome {
    const { process } = machine;
    if (process === null || machine.isOut) return 'cut';
    this.drop(machine, true);
    if (cut === 'dies before the next secret is stored') return this.#die(machine);
    const held = withNext(machine.disk, this.#secret());
    if (held.next === null) throw new Error('a next secret was just given');
    machine.disk = held;
    if (cut === 'dies before it is sent') return this.#die(machine);
    const outcome = this.#judge(machine, process, presentLease({ ...held, next: held.next }));
    return this.#answer(machine, outcome, cut);
  }

  #answer(machine: Machine, outcome: Outcome, cut: Cut): Outcome {
    const { process } = machine;
    if (cut === 'answer is lost') {
      this.drop(machine, true);
      this.#close();
      return 'cut';
    }
    if (cut === 'dies before the answer is stored') return this.#die(machine);
    if (outcome === 'replaced' || outcome === 'split') machine.isOut = true;
    const epoch = this.#record?.epoch ?? 0;
    if (outcome === 'accept' || outcome === 'replace') {
      const taken = takeEpoch(machine.disk, epoch);
      if (taken === undefined) throw new Error(`epoch ${epoch} after ${machine.disk.epoch}`);
      machine.disk = taken;
      if (process !== null) process.link = this.#link?.id ?? null;
    }
    return cut === 'none' ? outcome : this.#die(machine);
  }

  #judge(machine: Machine, process: Process, lease: Lease): Outcome {
    const marks = marksOf(machine, process);
    const isRetired = this.#retired.has(`${lease.epoch} ${leaseHash(lease.secret)}`);
    const use = compareLease(this.#record, isRetired, lease);
    const isAnswered = this.#link?.process !== process && this.#answers();
    if (isAnswered) this.#heardAtMs = this.#nowMs;
    const verdict = judgeLease({
      use,
      isAnswered,
      silentMs: this.#nowMs - Math.max(this.#heardAtMs, this.#startedAtMs),
      kinship: this.#marks === undefined ? 'process' : kinshipOf(marks, this.#marks),
    });
    switch (verdict.kind) {
      case 'wait':
      case 'replaced':
        return verdict.kind;
      case 'accept':
        if (isAnswered) this.doubleHolders += 1;
        this.#open(machine, process, advance(this.#record, lease, use));
        return 'accept';
      case 'clone':
        if (this.#rule !== 'replace') return this.#rule;
        this.#replaceHolder();
        this.#open(machine, process, passOn(this.#record, lease));
        return 'replace';
    }
  }

  #replaceHolder(): void {
    if (this.#record !== undefined) this.#retired.add(`${this.#record.epoch} ${this.#record.hash}`);
    if (this.#link !== null && this.#answers()) this.#link.machine.isOut = true;
    this.#close();
  }

  #open(machine: Machine, process: Process, record: LeaseRecord): void {
    this.#close();
    this.#record = record;
    this.#marks = marksOf(machine, process);
    this.#counter += 1;
    this.#link = { id: this.#counter, machine, process };
    this.#heardAtMs = this.#nowMs;
  }

  #close(): void {
    if (this.#link !== null && this.#link.process.link === this.#link.id)
      this.#link.process.link = null;
    this.#link = null;
  }

  /** The process of the open link lives and still has its end of it. */
  #answers(): boolean {
    const link = this.#link;
    return link !== null && link.machine.process === link.process && link.process.link === link.id;
  }

  #die(machine: Machine): Outcome {
    this.kill(machine);
    return 'cut';
  }

  #addMachine(disk: HeldLease, machineId: string): Machine {
    const machine: Machine = {
      index: this.machines.length,
      machineId,
      boots: 0,
      disk,
      isOut: false,
      process: null,
    };
    this.machines.push(machine);
    return machine;
  }

  #secret(): string {
    this.#counter += 1;
    return String(this.#counter).padStart(43, '0');
  }
}

function marksOf(machine: Machine, process: Process): HostMarks {
  const hints: HostHints = {
    bootId: process.bootId,
    machineId: machine.machineId,
    cloudInstanceId: null,
    vmGenerationId: null,
  };
  return { instance: process.instance, hints };
}
