/** The node's place among copies of itself, on a real state directory. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leaseHash } from '@etherloom/core';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateIdentity } from '../disk/identity.ts';
import { StateDirectory } from '../disk/state-directory.ts';
import { Place } from './place.ts';

const TICKET = 't'.repeat(43);
let path = '';
let directory: StateDirectory;

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'loom-place-')), 'agent');
  directory = StateDirectory.open(path);
});
afterEach(() => {
  directory.close();
  rmSync(join(path, '..'), { recursive: true });
});

const placeOf = (of = directory): Place =>
  new Place({ directory: of, instance: () => '0'.repeat(16), log: pino({ level: 'silent' }) });

/** As after SIGKILL: nothing but the disk is left. */
function startAgain(): Place {
  directory.close();
  directory = StateDirectory.open(path);
  return placeOf();
}

const secretsOnDisk = (): { secret: string; next: string | null } =>
  JSON.parse(readFileSync(join(path, 'lease.json'), 'utf8')).content;

describe('lease', () => {
  test('a node without one, as of a former version, begins at epoch 0', () => {
    const { lease } = placeOf().show();
    expect(lease.epoch).toBe(0);
    expect(placeOf().takeEpoch(1)).toBeUndefined();
    expect(startAgain().show().lease.epoch).toBe(1);
  });

  test('what is shown is on disk before, and an agent that died shows the same again', () => {
    const shown = placeOf().show();
    const { next } = secretsOnDisk();
    expect(shown.lease.nextHash).toBe(leaseHash(next ?? ''));
    expect(startAgain().show().lease).toEqual(shown.lease);
  });

  test('after a welcome the next secret is the one that is held', () => {
    const place = placeOf();
    place.show();
    const { next } = secretsOnDisk();
    expect(place.takeEpoch(7)).toBeUndefined();
    expect(secretsOnDisk()).toMatchObject({ epoch: 7, secret: next, next: null });
    expect(place.takeEpoch(6)).toMatch(/epoch 6 after 7/);
  });

  test('a full disk opens no link, and loses nothing', () => {
    const place = placeOf();
    const { lease } = place.show();
    symlinkSync('/dev/full', join(path, 'lease.json.tmp'));
    expect(place.takeEpoch(1)).toMatch(/disk is full/);
    expect(startAgain().show().lease).toEqual(lease);
  });

  test('a damaged file is set aside, and the lease begins anew', () => {
    placeOf().show();
    writeFileSync(join(path, 'lease.json'), '{"etherloom":"lease"');
    expect(startAgain().show().lease.epoch).toBe(0);
    expect(readFileSync(join(path, 'lease.json.corrupt'), 'utf8')).toContain('lease');
  });
});

describe('standing', () => {
  test.each([
    ['clone_rejected', 'rejected', 'hold off'],
    ['clone_replaced', 'replaced', 'end'],
  ])('%s keeps the host down over restarts, until it is welcomed', (code, state, after) => {
    expect(placeOf().takeRefusal(code, 'why')).toBe(after);
    const again = startAgain();
    expect(again.isDown).toBe(true);
    expect(again.standing).toEqual({ state, message: 'why' });
    expect(again.takeWelcome('active')).toBe(true);
    expect(startAgain().standing).toBeNull();
  });

  test('other refusals change nothing', () => {
    expect(placeOf().takeRefusal('lease_waits', 'soon')).toBe('try again');
    expect(placeOf().isDown).toBe(false);
  });

  test('a host goes down even when its disk does not take it', () => {
    symlinkSync('/dev/full', join(path, 'standing.json.tmp'));
    const place = placeOf();
    expect(() => place.takeRefusal('clone_rejected', 'why')).toThrow(/disk is full/);
    expect(place.isDown).toBe(true);
  });

  test('a damaged file keeps the host down until a controller welcomes it', () => {
    placeOf().takeRefusal('clone_replaced', 'why');
    writeFileSync(join(path, 'standing.json'), '');
    expect(startAgain().isDown).toBe(true);
    expect(placeOf().takeWelcome('active')).toBe(true);
  });
});

describe('another identity', () => {
  test('a ticket is kept with one identity, however often one is given or dropped', () => {
    const place = placeOf();
    place.takeTicket(TICKET, 'a copy');
    const { identity } = place.rebirth();
    place.dropTicket();
    expect(place.rebirth()).toMatchObject({ ticket: null, identity });
    const again = startAgain();
    again.takeTicket('u'.repeat(43), 'a copy');
    expect(again.rebirth()).toMatchObject({ ticket: 'u'.repeat(43), identity });
    expect(again.isDown).toBe(true);
  });

  test.each([
    ['pending', true],
    ['active', false],
  ] as const)(
    'granted %s, a copy %s: no death on the way leaves it between two',
    (state, isClone) => {
      const place = placeOf();
      const origin = directory.identity.nodeId;
      directory.savePeerIds({ next: 2, ids: { [origin]: 1 } });
      place.show();
      place.takeTicket(TICKET, 'a copy');
      const rebirth = { ...place.rebirth(), identity: generateIdentity() };
      place.grant(rebirth, { nodeName: 'web-2', state, isClone });
      directory.close();
      const saved = `${path}.saved`;
      cpSync(path, saved, { recursive: true });

      for (let deathAt = 0; ; deathAt += 1) {
        rmSync(path, { recursive: true });
        cpSync(saved, path, { recursive: true });
        const hasDied = dieAt(deathAt);
        directory = StateDirectory.open(path);
        if (directory.place.standing?.rebirth?.granted) directory.completeRebirth();
        expect(directory.identity.nodeId, `death ${deathAt}`).toBe(rebirth.identity.nodeId);
        expect(directory.startCount).toBeGreaterThan(0);
        expect(directory.memberships).toMatchObject({ nodeName: 'web-2', networks: [] });
        expect(directory.peerIds.ids).toEqual({});
        expect(directory.place.lease).toBeNull();
        expect(directory.place.clonedFrom).toBe(isClone ? origin : null);
        expect(placeOf().standing?.state).toBe(state === 'pending' ? 'waits' : undefined);
        expect(placeOf().isDown).toBe(false);
        directory.close();
        if (!hasDied) break;
      }
      directory = StateDirectory.open(path);
    },
  );

  /** Dies after that step; false when there are fewer. */
  function dieAt(deathAt: number): boolean {
    const dying = StateDirectory.open(path);
    let step = 0;
    try {
      dying.completeRebirth(() => {
        if (step === deathAt) throw new Error('dies here');
        step += 1;
      });
      return false;
    } catch (error) {
      expect(error).toMatchObject({ message: 'dies here' });
      return true;
    } finally {
      dying.close();
    }
  }
});
