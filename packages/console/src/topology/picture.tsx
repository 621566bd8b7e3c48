/** The picture of the topology: places as circles, nodes as dots, paths as lines. */
import { memo, useEffect, useRef, useState } from 'react';
import type { KeyboardEvent, PointerEvent, ReactElement, RefObject } from 'react';
import { TOPOLOGY_LABELS_MAX, TOPOLOGY_PATHS_MAX } from '../limits.ts';
import { describeGraph } from './graph.ts';
import type { Graph, GraphNode, GraphPath } from './graph.ts';
import type { Layout, Point } from './layout.ts';
import { moveLens, wholeLens, zoomLens } from './zoom.ts';
import type { Lens } from './zoom.ts';

/** From this scale on names are shown, however many nodes there are. */
const LABEL_SCALE = 2.6;
/** Up to this many nodes each path is a line; above, those between two places are one strand. */
const SINGLE_PATHS_NODES_MAX = 60;

export interface PictureProps {
  readonly graph: Graph;
  readonly layout: Layout;
  /** Node that was chosen; null: none. */
  readonly chosen: string | null;
  readonly onChoose: (id: string | null) => void;
  /** Words that were searched for; empty: none. */
  readonly found: ReadonlySet<string> | null;
}

/** Draws it, with zoom. */
export function Picture(props: PictureProps): ReactElement {
  const { graph, layout, chosen, onChoose } = props;
  const svg = useRef<SVGSVGElement>(null);
  const [lens, setLens] = useLens(svg, layout.box);
  const unit = useUnit(svg, layout.box);
  const [hovered, setHovered] = useState<string | null>(null);
  const drag = useDrag(svg, setLens, () => onChoose(null));
  const onKey = (event: KeyboardEvent): void => {
    const act = KEYS[event.key];
    if (act === undefined) return;
    event.preventDefault();
    setLens((before) => act(before, layout.box));
  };
  const areAllNamed = graph.nodes.length <= TOPOLOGY_LABELS_MAX || lens.scale >= LABEL_SCALE;
  return (
    <>
      {/* An application takes keys, and the table says the same in words. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- see above */}
      <svg
        ref={svg}
        className="canvas"
        viewBox={lens.box.join(' ')}
        role="application"
        aria-roledescription="topology"
        aria-label={`${describeGraph(graph)}. Plus and minus zoom, arrows move, 0 shows all. The table says the same in words.`}
        tabIndex={0}
        onKeyDown={onKey}
        {...drag}
      >
        <Strands graph={graph} layout={layout} unit={unit} />
        <Places layout={layout} textSize={(placeTextOf(unit) * unit) / growthOf(lens)} />
        <Paths graph={graph} layout={layout} focus={hovered ?? chosen} unit={unit} />
        <g
          onPointerOver={(event) => setHovered(idAt(event.target))}
          onPointerOut={() => setHovered(null)}
        >
          {graph.nodes.map((node) => (
            <Dot
              key={node.id}
              node={node}
              at={layout.nodes.get(node.id)}
              radius={dotOf(layout, unit) / Math.max(1, Math.sqrt(lens.scale) / 1.4)}
              isNamed={
                areAllNamed ||
                node.id === hovered ||
                node.id === chosen ||
                props.found?.has(node.id) === true
              }
              isChosen={node.id === chosen}
              isDim={props.found !== null && !props.found.has(node.id)}
              textSize={(12 * unit) / growthOf(lens)}
              onChoose={onChoose}
            />
          ))}
        </g>
      </svg>
      <ZoomButtons onLens={(change) => setLens((before) => change(before, layout.box))} />
    </>
  );
}

/**
 * What a pixel of the screen is in the whole picture: texts have one size on it, however large the
 * picture and the screen.
 */
function useUnit(svg: RefObject<SVGSVGElement | null>, box: Lens['box']): number {
  const [size, setSize] = useState({ width: 1_000, height: 560 });
  useEffect(() => {
    if (svg.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setSize(entry.contentRect);
    });
    observer.observe(svg.current);
    return () => observer.disconnect();
  }, [svg]);
  return Math.max(box[2] / Math.max(size.width, 1), box[3] / Math.max(size.height, 1));
}

/** By how much things that are looked at closely grow less than the picture. */
const growthOf = (lens: Lens): number => Math.max(1, lens.scale ** 0.85);

/** Pixels of a place's name: smaller where much must stand on little. */
const placeTextOf = (unit: number): number => (unit > 2 ? 10 : 13);

/** A dot is seen on any screen, and leaves room between it and the next. */
function dotOf(layout: Layout, unit: number): number {
  const isCrowded = layout.nodes.size > 120;
  return Math.min(Math.max(layout.dot, 5 * unit), isCrowded ? 6.5 : 11 * unit);
}

type LensChange = (lens: Lens, whole: Lens['box']) => Lens;

const KEYS: Readonly<Record<string, LensChange>> = {
  '+': (lens) => zoomLens(lens, 1.3),
  '=': (lens) => zoomLens(lens, 1.3),
  '-': (lens) => zoomLens(lens, 1 / 1.3),
  '0': (_, whole) => wholeLens(whole),
  ArrowLeft: (lens) => moveLens(lens, -0.1, 0),
  ArrowRight: (lens) => moveLens(lens, 0.1, 0),
  ArrowUp: (lens) => moveLens(lens, 0, -0.1),
  ArrowDown: (lens) => moveLens(lens, 0, 0.1),
};

function ZoomButtons({ onLens }: { readonly onLens: (change: LensChange) => void }): ReactElement {
  const items = [
    ['+', 'Zoom in', '+'],
    ['-', 'Zoom out', '−'],
    ['0', 'Show all', '⤢'],
  ] as const;
  return (
    <div className="zoom">
      {items.map(([key, name, sign]) => (
        <button
          key={key}
          type="button"
          className="button icon"
          aria-label={name}
          title={name}
          onClick={() => onLens(KEYS[key] ?? ((lens) => lens))}
        >
          {sign}
        </button>
      ))}
    </div>
  );
}

type SetLens = (change: (before: Lens) => Lens) => void;

/** The lens begins with the whole, and again when the picture has another size. */
function useLens(svg: RefObject<SVGSVGElement | null>, box: Lens['box']): readonly [Lens, SetLens] {
  const [lens, setLens] = useState(() => wholeLens(box));
  const key = box.join(' ');
  const [drawn, setDrawn] = useState(key);
  if (drawn !== key) {
    setDrawn(key);
    setLens(wholeLens(box));
  }
  useEffect(() => {
    const element = svg.current;
    if (element === null) return;
    // React listens passively: then the page would scroll as well.
    const onWheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
      event.preventDefault();
      const { left, top, width, height } = element.getBoundingClientRect();
      const factor = Math.exp(-event.deltaY / 400);
      const atX = (event.clientX - left) / width;
      const atY = (event.clientY - top) / height;
      setLens((before) => zoomLens(before, factor, atX, atY));
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [svg]);
  return [lens, setLens];
}

interface DragHandlers {
  readonly onPointerDown: (event: PointerEvent) => void;
  readonly onPointerMove: (event: PointerEvent) => void;
  readonly onPointerUp: (event: PointerEvent) => void;
}

/** Moves what is seen; a press that moves nothing, on nothing, chooses nothing. */
function useDrag(
  svg: RefObject<SVGSVGElement | null>,
  setLens: SetLens,
  onNothing: () => void,
): DragHandlers {
  const from = useRef<{ x: number; y: number; hasMoved: boolean } | null>(null);
  return {
    onPointerDown: (event) => {
      from.current = { x: event.clientX, y: event.clientY, hasMoved: false };
    },
    onPointerMove: (event) => {
      const start = from.current;
      const element = svg.current;
      if (start === null || element === null || event.buttons === 0) return;
      const byX = event.clientX - start.x;
      const byY = event.clientY - start.y;
      if (!start.hasMoved && Math.hypot(byX, byY) < 4) return;
      const { width, height } = element.getBoundingClientRect();
      from.current = { x: event.clientX, y: event.clientY, hasMoved: true };
      setLens((before) => moveLens(before, -byX / width, -byY / height));
    },
    onPointerUp: (event) => {
      const hasMoved = from.current?.hasMoved === true;
      from.current = null;
      if (!hasMoved && idAt(event.target) === null) onNothing();
    },
  };
}

function idAt(target: EventTarget): string | null {
  if (!(target instanceof Element)) return null;
  return target.closest('[data-node]')?.getAttribute('data-node') ?? null;
}

const Places = memo(function Places(props: {
  readonly layout: Layout;
  readonly textSize: number;
}): ReactElement {
  const size = props.textSize;
  return (
    <g>
      {props.layout.places.map(({ place, x, y, radius }) => (
        <circle key={place} className="site" cx={x} cy={y} r={radius} />
      ))}
      {props.layout.places.map(({ place, x, y, radius, count }) => (
        <text key={place} className="site-name" x={x} y={y - radius - size / 2} fontSize={size}>
          {place}
          {count > 1 && ` · ${count}`}
        </text>
      ))}
    </g>
  );
});

/** Paths between two places, where nodes are so many that single ones would be a cloud. */
const Strands = memo(function Strands(props: {
  readonly graph: Graph;
  readonly layout: Layout;
  readonly unit: number;
}): ReactElement | null {
  const { graph, layout, unit } = props;
  if (graph.nodes.length <= SINGLE_PATHS_NODES_MAX) return null;
  return (
    <g>
      {layout.strands.map(({ key, from, to, count, downCount }) => (
        <line
          key={key}
          className={`path strand${downCount === count ? ' down' : ''}`}
          x1={from.x}
          y1={from.y}
          x2={to.x}
          y2={to.y}
          strokeWidth={(1 + Math.log2(1 + count) / 2) * unit}
        />
      ))}
    </g>
  );
});

/** Each path while nodes are few; of many nodes those of the one that is looked at. */
const Paths = memo(function Paths(props: {
  readonly graph: Graph;
  readonly layout: Layout;
  readonly focus: string | null;
  readonly unit: number;
}): ReactElement {
  const { graph, layout, focus } = props;
  const isFew = graph.nodes.length <= SINGLE_PATHS_NODES_MAX;
  const shown = isFew
    ? graph.paths.slice(0, TOPOLOGY_PATHS_MAX)
    : graph.paths.filter(({ a, b }) => a === focus || b === focus);
  return (
    <g>
      {shown.map((path) => (
        <PathLine
          key={`${path.a} ${path.b}`}
          path={path}
          from={layout.nodes.get(path.a)}
          to={layout.nodes.get(path.b)}
          unit={props.unit}
          tone={focus === null ? '' : path.a === focus || path.b === focus ? 'chosen' : 'faint'}
        />
      ))}
    </g>
  );
});

function PathLine(props: {
  readonly path: GraphPath;
  readonly from: Point | undefined;
  readonly to: Point | undefined;
  readonly unit: number;
  readonly tone: string;
}): ReactElement | null {
  const { path, from, to } = props;
  if (from === undefined || to === undefined) return null;
  const rate = path.bytesPerSecond ?? 0;
  return (
    <line
      className={`path ${path.kind} ${props.tone}`}
      x1={from.x}
      y1={from.y}
      x2={to.x}
      y2={to.y}
      strokeWidth={
        (1.4 + Math.min(6, Math.log10(1 + rate / 1_000) * 1.4)) * Math.min(1, props.unit)
      }
    />
  );
}

const Dot = memo(function Dot(props: {
  readonly node: GraphNode;
  readonly at: Point | undefined;
  readonly radius: number;
  readonly isNamed: boolean;
  readonly isChosen: boolean;
  readonly isDim: boolean;
  readonly textSize: number;
  readonly onChoose: (id: string) => void;
}): ReactElement | null {
  const { node, at, radius } = props;
  if (at === undefined) return null;
  return (
    <g
      data-node={node.id}
      className={`node ${node.kind}${props.isDim ? ' dim' : ''}`}
      onClick={() => props.onChoose(node.id)}
    >
      <title>{`${node.name}: ${node.word}`}</title>
      {props.isChosen && <circle className="ring" cx={at.x} cy={at.y} r={radius + 4} />}
      <circle className="hit" cx={at.x} cy={at.y} r={radius * 1.5} />
      <Body kind={node.kind} at={at} radius={radius} />
      {props.isNamed && (
        <text x={at.x} y={at.y + radius + props.textSize * 1.05} fontSize={props.textSize}>
          {node.name}
        </text>
      )}
    </g>
  );
});

/** States differ in shape, too: not everybody tells green from red. */
function Body(props: {
  readonly kind: GraphNode['kind'];
  readonly at: Point;
  readonly radius: number;
}): ReactElement {
  const { kind, at, radius } = props;
  if (kind === 'good' || kind === 'off')
    return <circle className="body" cx={at.x} cy={at.y} r={radius} />;
  return (
    <rect
      className="body"
      x={at.x - radius}
      y={at.y - radius}
      width={radius * 2}
      height={radius * 2}
      rx={radius / 4}
      transform={kind === 'warn' ? `rotate(45 ${at.x} ${at.y})` : undefined}
    />
  );
}
