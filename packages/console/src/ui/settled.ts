/** What was typed, once it rests: each letter would else be a request. */
import { useEffect, useState } from 'react';
import { TYPING_PAUSE_MS } from '../limits.ts';

/** The value as it was when it last stood still; the first one at once. */
export function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    if (value === settled) return;
    const timer = setTimeout(() => setSettled(value), TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value, settled]);
  return settled;
}
