/** The part of the picture that is seen. */
import { expect, test } from 'vitest';
import { moveLens, wholeLens, zoomLens } from './zoom.ts';

const BOX = [-100, -50, 200, 100] as const;

test('what is under the pointer stays there', () => {
  const { box } = zoomLens(wholeLens(BOX), 2, 0.25, 0.5);
  expect(box).toEqual([-75, -25, 100, 50]);
  const [left, , width] = box;
  expect(left + width * 0.25).toBe(-50);
});

test('in and out again is where it was', () => {
  const lens = zoomLens(zoomLens(wholeLens(BOX), 2), 0.5);
  expect(lens).toEqual(wholeLens(BOX));
});

test('nobody gets lost: the scale has ends', () => {
  let lens = wholeLens(BOX);
  for (let turn = 0; turn < 100; turn++) lens = zoomLens(lens, 2);
  expect(lens.scale).toBe(12);
  for (let turn = 0; turn < 100; turn++) lens = zoomLens(lens, 0.5);
  expect(lens.scale).toBe(0.6);
});

test('moving is by shares of what is seen', () => {
  expect(moveLens(zoomLens(wholeLens(BOX), 2), 0.1, 0).box).toEqual([-40, -25, 100, 50]);
});
