/**
 * Draws a flame graph: width is time, what is called stands on what calls it. A plain SVG: no
 * script, no font or image from elsewhere; the whole name of a narrow bar is in its tooltip. Pure.
 */
import type { FlameNode } from './stacks.ts';

/** Drawing, pixels. */
const WIDTH = 1_600;
const MARGIN = 10;
const BAR_HEIGHT = 17;
const HEADER_HEIGHT = 62;
const FONT_SIZE = 12;
/** Of the monospaced fonts that are asked for. */
const CHARACTER_WIDTH = 7.25;
/** Narrower bars are left out, and no name is cut to fewer characters than this. */
const BAR_WIDTH_MIN = 0.4;
const LABEL_CHARS_MIN = 3;

/** Hue and its range for each kind; the name picks the shade, so that neighbours differ. */
const COLORS = {
  group: { hue: 210, range: 0, saturation: 12, light: 82, legend: '' },
  program: { hue: 2, range: 24, saturation: 88, light: 66, legend: 'data path' },
  library: { hue: 46, range: 14, saturation: 88, light: 60, legend: 'libraries' },
  kernel: { hue: 26, range: 14, saturation: 70, light: 74, legend: 'kernel' },
} as const;

interface Bar {
  readonly node: FlameNode;
  readonly x: number;
  readonly width: number;
  readonly depth: number;
}

/** The picture; `title` is set above it, with the number of samples. */
export function drawFlame(root: FlameNode, title: string): string {
  if (root.samples === 0) throw new RangeError('a flame graph needs a sample');
  const bars = layOut(root);
  const depthMax = Math.max(...bars.map(({ depth }) => depth));
  const height = HEADER_HEIGHT + (depthMax + 1) * BAR_HEIGHT + MARGIN;
  const bottom = height - MARGIN;
  const heading = `${title}: ${root.samples} samples`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      `viewBox="0 0 ${WIDTH} ${height}" font-family="DejaVu Sans Mono, Menlo, monospace" ` +
      `font-size="${FONT_SIZE}">`,
    `<title>${escaped(heading)}</title>`,
    `<rect width="100%" height="100%" fill="#fcfaf5"/>`,
    `<text x="${WIDTH / 2}" y="26" text-anchor="middle" font-size="18">${escaped(heading)}</text>`,
    ...legend(),
    ...bars.map((bar) => draw(bar, { total: root.samples, bottom })),
    '</svg>',
    '',
  ].join('\n');
}

/** Children from left to right by name, so that two graphs of one program look alike. */
function layOut(root: FlameNode): Bar[] {
  const scale = (WIDTH - 2 * MARGIN) / root.samples;
  const bars: Bar[] = [];
  const place = (node: FlameNode, x: number, depth: number): void => {
    const width = node.samples * scale;
    if (width < BAR_WIDTH_MIN) return;
    bars.push({ node, x, width, depth });
    let left = x;
    for (const child of [...node.children.values()].toSorted(byName)) {
      place(child, left, depth + 1);
      left += child.samples * scale;
    }
  };
  place(root, MARGIN, 0);
  return bars;
}

const byName = (a: FlameNode, b: FlameNode): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

function draw(
  { node, x, width, depth }: Bar,
  { total, bottom }: { readonly total: number; readonly bottom: number },
): string {
  const y = bottom - (depth + 1) * BAR_HEIGHT;
  const percent = ((100 * node.samples) / total).toFixed(1);
  const tip = escaped(`${node.name}: ${node.samples} samples, ${percent} %`);
  const size = `width="${Math.max(width - 0.5, 0.3).toFixed(1)}" height="${BAR_HEIGHT - 1}"`;
  const bar = `<rect x="${x.toFixed(1)}" y="${y}" ${size} rx="1.5" fill="${colorOf(node)}"/>`;
  const label = fitted(node.name, width);
  const text =
    label === ''
      ? ''
      : `<text x="${(x + 3).toFixed(1)}" y="${y + BAR_HEIGHT - 5}">${escaped(label)}</text>`;
  return `<g><title>${tip}</title>${bar}${text}</g>`;
}

/** As much of the name as a bar has room for; nothing when that says nothing. */
export function fitted(name: string, width: number): string {
  const room = Math.floor((width - 6) / CHARACTER_WIDTH);
  if (room >= name.length) return name;
  return room < LABEL_CHARS_MIN ? '' : `${name.slice(0, room - 1)}…`;
}

function colorOf({ name, kind }: FlameNode): string {
  const { hue, range, saturation, light } = COLORS[kind];
  let shade = 0;
  for (const char of name) shade = (shade * 31 + (char.codePointAt(0) ?? 0)) % 997;
  const part = shade / 997;
  return `hsl(${(hue + range * part).toFixed(0)},${saturation}%,${(light + 8 * part).toFixed(0)}%)`;
}

function legend(): string[] {
  const kinds = Object.values(COLORS).filter((color) => color.legend !== '');
  return kinds.map(({ hue, saturation, light, legend: words }, index) => {
    const x = MARGIN + index * 130;
    const fill = `hsl(${hue + 5},${saturation}%,${light}%)`;
    const box = `<rect x="${x}" y="38" width="14" height="14" rx="1.5" fill="${fill}"/>`;
    return `${box}<text x="${x + 20}" y="49">${words}</text>`;
  });
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
