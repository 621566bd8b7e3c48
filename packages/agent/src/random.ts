/** Randomness for waits: node:crypto's, as a number. */
import { randomInt } from 'node:crypto';

/** 0 up to, not including, 1. */
export function randomUnit(): number {
  return randomInt(0x1_0000_0000) / 0x1_0000_0000;
}
