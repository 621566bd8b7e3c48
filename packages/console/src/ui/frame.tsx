/** The frame of every page: the rail of places, the bar above, the page itself. */
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { Link, NavLink, useLocation } from 'react-router';
import { useIsLive } from '../api/watch.tsx';
import { PLACES } from '../places.ts';
import { useSession } from '../session.tsx';
import { Icon, Mark } from './icons.tsx';
import { THEMES, useTheme } from './theme.ts';
import type { Theme } from './theme.ts';

/** Draws a page within the frame. */
export function Frame({ children }: { readonly children: ReactNode }): ReactElement {
  const { pathname } = useLocation();
  // The menu is open at one address: a link in it closes it.
  const [menuAt, setMenuAt] = useState<string | null>(null);
  // Parts of one page, such as the tabs of a network, leave the focus where it is.
  const page = pathname.split('/').slice(1, 3).join('/');
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  // Before the page is painted: a key pressed at what is seen acts on what is seen.
  useLayoutEffect(() => {
    if (isFirst.current) isFirst.current = false;
    else if (document.querySelector('dialog[open]') === null)
      main.current?.focus({ preventScroll: false });
  }, [page]);
  const isWide = pathname === '/topology';
  return (
    <>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <div className="frame">
        <div className="rail">
          <Rail />
        </div>
        {menuAt === pathname && <Drawer onClose={() => setMenuAt(null)} />}
        <div className="stage">
          <Bar onMenu={() => setMenuAt(pathname)} />
          <main id="main" ref={main} tabIndex={-1} className={isWide ? 'wide' : undefined}>
            {children}
          </main>
        </div>
      </div>
    </>
  );
}

function Rail(): ReactElement {
  const { can, organization } = useSession();
  return (
    <>
      <Link className="brand" to="/">
        <Mark /> etherloom
      </Link>
      <div className="weave" />
      <nav aria-label="Places">
        {PLACES.map((group) => {
          const places = group.places.filter(
            ({ permission }) => permission === null || can(permission),
          );
          return (
            <div key={group.name}>
              <h2>{group.name}</h2>
              <ul>
                {places.map((place) => (
                  <li key={place.to}>
                    <NavLink className="place" to={place.to} end={place.to === '/'}>
                      <Icon name={place.icon} />
                      {place.name}
                    </NavLink>
                  </li>
                ))}
              </ul>
            </div>
          );
        })}
      </nav>
      <div className="rail-foot">
        Organization {organization}
        <br />
        <a href="/docs">API documentation</a>
      </div>
    </>
  );
}

/** The rail on a telephone. */
function Drawer({ onClose }: { readonly onClose: () => void }): ReactElement {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={ref} className="drawer" aria-label="Menu" onClose={onClose}>
      <div className="rail">
        <button type="button" className="button plain icon" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
        <Rail />
      </div>
    </dialog>
  );
}

function Bar({ onMenu }: { readonly onMenu: () => void }): ReactElement {
  const isLive = useIsLive();
  const { user, logOut } = useSession();
  return (
    <header className="bar">
      <button
        type="button"
        className="button plain icon menu-button"
        aria-label="Menu"
        onClick={onMenu}
      >
        <Icon name="menu" />
      </button>
      <Crumbs />
      <span className="spring" />
      <span className={isLive ? 'live' : 'live polls'} role="status">
        <span className="only-wide">{isLive ? 'Live' : 'Asks every 5 s'}</span>
        <span className="unseen">
          {isLive ? 'Changes show by themselves' : 'The stream of changes is broken'}
        </span>
      </span>
      <OrganizationChoice />
      <ThemeSwitch />
      <Link className="button plain small" to="/profile">
        <Icon name="user" />
        <span className="only-wide">{user}</span>
        <span className="unseen">Your profile</span>
      </Link>
      <button type="button" className="button plain small" onClick={logOut}>
        Log out
      </button>
    </header>
  );
}

/** Shown to those who see more than one organization. */
function OrganizationChoice(): ReactElement | null {
  const { organization, organizations, choose } = useSession();
  if (organizations.length < 2) return null;
  return (
    <select
      aria-label="Organization"
      className="organization-choice"
      value={organization}
      onChange={(event) => choose(event.target.value)}
    >
      {organizations.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

const THEME_NAMES: Readonly<Record<Theme, string>> = {
  system: 'as the system',
  light: 'light',
  dark: 'dark',
};
const THEME_ICONS = { system: 'system', light: 'sun', dark: 'moon' } as const;

function ThemeSwitch(): ReactElement {
  const [theme, choose] = useTheme();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
  const label = `Colours: ${THEME_NAMES[theme]}. Change to ${THEME_NAMES[next]}`;
  return (
    <button
      type="button"
      className="button plain icon"
      aria-label={label}
      title={label}
      onClick={() => choose(next)}
    >
      <Icon name={THEME_ICONS[theme]} />
    </button>
  );
}

/** Where one is, from the address: names of networks and nodes are in it. */
function Crumbs(): ReactElement {
  const { pathname } = useLocation();
  const parts = pathname.split('/').filter((part) => part !== '');
  const place = PLACES.flatMap((group) => group.places).find(
    ({ to }) => to === `/${parts[0] ?? ''}`,
  );
  const first = place?.name ?? parts[0] ?? 'Overview';
  const second = parts[1] === undefined ? null : decodeURIComponent(parts[1]);
  return (
    <nav aria-label="Where you are" className="only-wide">
      <ol className="crumbs">
        <li>
          {second === null ? (
            <span aria-current="page">{first}</span>
          ) : (
            <Link to={`/${parts[0] ?? ''}`}>{first}</Link>
          )}
        </li>
        {second !== null && (
          <li>
            <span aria-current="page">{second}</span>
          </li>
        )}
      </ol>
    </nav>
  );
}
