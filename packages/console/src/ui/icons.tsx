/** Drawings of 20 by 20; decoration alone: what they stand beside says the same in words. */
import type { ReactElement } from 'react';

const PATHS = {
  overview: 'M3 10.5 10 4l7 6.5M5 9v7h10V9M8.5 16v-4h3v4',
  network: 'M4 4v12M10 4v12M16 4v12M2.5 7h15M2.5 13h15',
  topology:
    'M10 4.5 4.5 14.5h11zM10 6.6a2 2 0 1 0 0-4 2 2 0 0 0 0 4M4.5 16.6a2 2 0 1 0 0-4 2 2 0 0 0 0 4M15.5 16.6a2 2 0 1 0 0-4 2 2 0 0 0 0 4',
  node: 'M3.5 4h13v5h-13zM3.5 11h13v5h-13zM6.5 6.5h.01M6.5 13.5h.01',
  join: 'M10 4v12M4 10h12',
  activity: 'M3 10h3.5L9 4.5l3 11L14.2 10H17',
  user: 'M10 10a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 10 10M3.8 16.6c.8-3 3.2-4.4 6.2-4.4s5.4 1.4 6.2 4.4',
  key: 'M12.8 10.8a3.6 3.6 0 1 0-3.4-3.4L3.5 13.3v3.2h3.2v-2h2v-2h1.5z',
  identity: 'M10 2.8 4 5v4.6c0 3.6 2.5 6.3 6 7.6 3.5-1.3 6-4 6-7.6V5zM7.6 9.8l1.8 1.8 3.2-3.4',
  settings:
    'M4 6h7M14.5 6H16M4 14h2M9.5 14H16M12.75 7.75a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5M7.75 15.75a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5',
  menu: 'M3 6h14M3 10h14M3 14h14',
  close: 'M5 5l10 10M15 5 5 15',
  warning: 'M10 3 2.5 16.5h15zM10 8v4M10 14.3h.01',
  done: 'M4 10.5 8.5 15 16 6',
  copy: 'M7 7V4h9v9h-3M4 7h9v9H4z',
  sun: 'M10 13.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4M10 2.5v1.7M10 15.8v1.7M2.5 10h1.7M15.8 10h1.7M4.7 4.7l1.2 1.2M14.1 14.1l1.2 1.2M4.7 15.3l1.2-1.2M14.1 5.9l1.2-1.2',
  moon: 'M16 12.2A6.7 6.7 0 0 1 7.8 4a6.7 6.7 0 1 0 8.2 8.2',
  system: 'M3 4.5h14v9H3zM7.5 16.5h5M10 13.5v3',
} as const;

export type IconName = keyof typeof PATHS;

/** One drawing, in the colour of the text beside it. */
export function Icon({ name }: { readonly name: IconName }): ReactElement {
  return (
    <svg viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}

/** The mark of etherloom: two threads woven. */
export function Mark(): ReactElement {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <g fill="none" strokeWidth="3.4" strokeLinecap="round">
        <path stroke="#9db7ff" d="M6 11h1.5M14.5 11H26M6 21h11.5M24.5 21H26" />
        <path stroke="#e9c46a" d="M11 6v20M21 6v1.5M21 14.5V26" />
        <path stroke="#9db7ff" d="M17.5 11h7M7.5 21H8" />
      </g>
    </svg>
  );
}
