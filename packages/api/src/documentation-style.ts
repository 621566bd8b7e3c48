/**
 * Style of the documentation page: light and dark after the reader's system, readable on a
 * telephone and on paper.
 */
export const DOCUMENTATION_STYLE = `
:root { color-scheme: light dark; --text: light-dark(#1c2128, #d7dde4); --soft: light-dark(#57606a, #98a2ad);
  --ground: light-dark(#ffffff, #14181d); --card: light-dark(#f5f7f9, #1c2229); --line: light-dark(#d5dae0, #333c46);
  --link: light-dark(#0b57a4, #7cb7f2); --get: light-dark(#0b6b3a, #6fd39b); --post: light-dark(#0b57a4, #7cb7f2);
  --delete: light-dark(#a4161a, #f59a9c); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 6rem; background: var(--ground); color: var(--text);
  font: 1rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.35rem; margin: 3rem 0 1rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
header p, .errors { color: var(--soft); }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; list-style: none; padding: .8rem 1rem; margin: 1.5rem 0 0;
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
article { margin: 1.2rem 0; padding: 1rem 1.1rem; border: 1px solid var(--line); border-radius: .5rem; }
article:target, tr:target { outline: 2px solid var(--link); }
code { font: .9em/1.5 ui-monospace, 'DejaVu Sans Mono', monospace; }
pre { margin: .8rem 0; padding: .8rem 1rem; overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: .4rem; }
.method { font: 700 .85rem/1 ui-monospace, monospace; }
.get { color: var(--get); } .post { color: var(--post); } .delete { color: var(--delete); }
.tag { padding: .1rem .45rem; border: 1px solid var(--line); border-radius: 1rem; color: var(--soft); font-size: .75rem;
  font-weight: 600; }
.errors { font-size: .9rem; margin: .4rem 0 0; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td { padding: .4rem .7rem .4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 500; }
@media print { nav { display: none; } article { break-inside: avoid; } }
`;
