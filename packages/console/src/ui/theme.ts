/** Dark, light, or as the system says; kept in this browser. */
import { useState } from 'react';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'loom.theme';

function isTheme(text: string | null): text is Theme {
  return THEMES.some((theme) => theme === text);
}

/** A browser may refuse its storage: then the choice lasts as long as the page. */
function readTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return isTheme(kept) ? kept : 'system';
  } catch {
    return 'system';
  }
}

/** Puts the kept theme on the page; called before anything is drawn. */
export function applyTheme(theme: Theme = readTheme()): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}

/** The theme, and how to choose another one. */
export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(readTheme);
  const choose = (next: Theme): void => {
    setTheme(next);
    applyTheme(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Storage is refused: the page alone keeps it.
    }
  };
  return [theme, choose];
}
