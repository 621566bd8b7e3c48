/** Signed statements as they are stored: JSON that this program wrote from checked values. */
import type { SignedStatement } from '@etherloom/api';

/** Reads a stored signed statement. */
export function readSigned(stored: string): SignedStatement {
  return JSON.parse(stored) as SignedStatement; // written by this program from checked values
}

/** Reads the text of a stored statement as what it was checked to be. */
export function readText<T>(text: string): T {
  return JSON.parse(text) as T; // the column's kind says which statement it is
}
