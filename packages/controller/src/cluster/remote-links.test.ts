/** Links at other controllers: what was told and what was read make one picture. */
import { expect, test } from 'vitest';
import { RemoteLinks } from './remote-links.ts';
import { RemoteTrouble } from './remote-trouble.ts';

const link = (epoch: number, controllerId = 'b') => ({ controllerId, epoch });

test('a later link counts, whatever comes last', () => {
  const links = new RemoteLinks();
  links.open('n', link(2));
  links.open('n', link(1, 'c'));
  expect(links.get('n')).toEqual(link(2));
  links.close('n', 1);
  expect(links.get('n')).toEqual(link(2));
  links.close('n', 2);
  expect(links.get('n')).toBeUndefined();
});

test('a reading says what nobody told', async () => {
  const links = new RemoteLinks();
  links.open('kept', link(1));
  links.open('gone', link(1));
  const found = await links.readAnew(() =>
    Promise.resolve([
      ['kept', link(1)],
      ['came', link(1)],
    ]),
  );
  expect(found).toEqual({ opened: ['came'], closed: ['gone'] });
  expect(links.get('gone')).toBeUndefined();
});

test('what is told while it is read is not taken back by what was read', async () => {
  const links = new RemoteLinks();
  links.open('closes', link(1));
  links.open('here', link(1));
  const found = await links.readAnew(() => {
    links.open('opens', link(1));
    links.close('closes', 1);
    links.forget('here');
    return Promise.resolve([
      ['closes', link(1)],
      ['here', link(1)],
    ]);
  });
  expect(found).toEqual({ opened: [], closed: [] });
  expect(['opens', 'closes', 'here'].map((id) => links.get(id)?.epoch)).toEqual([
    1,
    undefined,
    undefined,
  ]);
});

test('a reading that fails leaves what was known', async () => {
  const links = new RemoteLinks();
  links.open('n', link(1));
  await expect(links.readAnew(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(links.get('n')).toEqual(link(1));
});

test('problems are those of the controller that told them, until it has none or is silent', () => {
  let nowMs = 0;
  const trouble = new RemoteTrouble(() => nowMs);
  trouble.take('b', ['n', 'm'], true);
  expect([trouble.has('b', 'n'), trouble.has('c', 'n')]).toEqual([true, false]);
  trouble.note('b', 'n', false);
  trouble.take('b', ['o'], false);
  expect(['n', 'm', 'o'].map((id) => trouble.has('b', id))).toEqual([false, true, true]);
  trouble.take('b', ['n'], true);
  expect(['n', 'm', 'o'].map((id) => trouble.has('b', id))).toEqual([true, false, false]);
  nowMs = 3_600_000;
  expect(trouble.has('b', 'n')).toBe(false);
});
