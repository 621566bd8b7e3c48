/** What has just been done, said once to screen readers and shown for a moment at the bottom. */
import { createContext, useContext, useMemo, useState } from 'react';
import type { ReactElement, ReactNode } from 'react';

type Announce = (text: string) => void;

const Announcer = createContext<Announce>(() => {});

/** Says that something was done. */
export function useAnnounce(): Announce {
  return useContext(Announcer);
}

/** Holds the live region; everything that announces is inside. */
export function AnnouncerRegion({ children }: { readonly children: ReactNode }): ReactElement {
  const [said, setSaid] = useState<{ readonly text: string; readonly turn: number } | null>(null);
  const announce = useMemo<Announce>(
    () => (text) => setSaid((before) => ({ text, turn: (before?.turn ?? 0) + 1 })),
    [],
  );
  return (
    <Announcer value={announce}>
      {children}
      <div className="announcement" role="status" aria-live="polite">
        {said !== null && <span key={said.turn}>{said.text}</span>}
      </div>
    </Announcer>
  );
}
