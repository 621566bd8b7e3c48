/**
 * Where nodes stand in the picture. The same graph gives the same picture: places are spread by
 * forces from fixed beginnings; nodes of a place stand on a ring while they are few, and as seeds
 * of a sunflower when they are many.
 */
import { forceCollide, forceLink, forceSimulation, forceX, forceY } from 'd3-force';
import type { SimulationLinkDatum, SimulationNodeDatum } from 'd3-force';
import type { Graph, GraphNode } from './graph.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlaceCircle extends Point {
  readonly place: string;
  readonly radius: number;
  readonly count: number;
}

/** Paths between two places as one line. */
export interface Strand {
  readonly key: string;
  /** From rim to rim. */
  readonly from: Point;
  readonly to: Point;
  readonly count: number;
  readonly downCount: number;
}

export interface Layout {
  readonly places: readonly PlaceCircle[];
  readonly nodes: ReadonlyMap<string, Point>;
  readonly strands: readonly Strand[];
  /** The whole picture: left, top, width, height. */
  readonly box: readonly [number, number, number, number];
  /** Radius of a node's dot. */
  readonly dot: number;
}

/** Up to this many nodes of a place stand on a ring, where each path between them is seen. */
const RING_MAX = 14;
const RING_GAP = 78;
const SEED_GAP = 15;
const PLACE_MARGIN = 34;
const PLACE_GAP = 46;
const TICKS = 220;
/** The golden angle: no two seeds of a sunflower stand in line. */
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

interface Body extends SimulationNodeDatum {
  readonly place: string;
  readonly radius: number;
  readonly members: readonly GraphNode[];
}

/** Lays a graph out. */
export function layOut(graph: Graph): Layout {
  const bodies = bodiesOf(graph);
  spread(bodies, graph);
  const places = bodies.map(({ place, radius, members, x = 0, y = 0 }) => ({
    place,
    radius,
    count: members.length,
    x: round(x),
    y: round(y),
  }));
  const nodes = new Map<string, Point>();
  for (const [index, body] of bodies.entries()) {
    const circle = places[index];
    if (circle === undefined) continue;
    for (const [seat, member] of body.members.entries())
      nodes.set(member.id, seatOf(circle, seat, body.members.length));
  }
  const box = boxOf(places);
  return {
    places,
    nodes,
    strands: strandsOf(graph, places),
    box,
    dot: graph.nodes.length > 120 ? 6 : 8,
  };
}

function bodiesOf(graph: Graph): Body[] {
  const groups = new Map<string, GraphNode[]>();
  for (const node of graph.nodes) {
    const group = groups.get(node.place);
    if (group === undefined) groups.set(node.place, [node]);
    else group.push(node);
  }
  const ordered = [...groups].toSorted(
    ([a, of], [b, than]) => than.length - of.length || (a < b ? -1 : 1),
  );
  return ordered.map(([place, members], index) => {
    const distance = 60 * Math.sqrt(index);
    return {
      place,
      members,
      radius: radiusOf(members.length),
      x: distance * Math.cos(index * GOLDEN_ANGLE) * 1.5,
      y: distance * Math.sin(index * GOLDEN_ANGLE),
    };
  });
}

/** Places that talk stand near each other, none covers another. Screens are wide: so is this. */
function spread(bodies: Body[], graph: Graph): void {
  const placeOfNode = new Map(graph.nodes.map(({ id, place }) => [id, place]));
  const byPlace = new Map(bodies.map((body) => [body.place, body]));
  const pairs = new Set<string>();
  const links: SimulationLinkDatum<Body>[] = [];
  for (const { a, b } of graph.paths) {
    const source = byPlace.get(placeOfNode.get(a) ?? '');
    const target = byPlace.get(placeOfNode.get(b) ?? '');
    if (source === undefined || target === undefined || source === target) continue;
    const pair = pairOf(source.place, target.place);
    if (pairs.has(pair)) continue;
    pairs.add(pair);
    links.push({ source, target });
  }
  forceSimulation(bodies)
    .force('collide', forceCollide<Body>(({ radius }) => radius + PLACE_GAP / 2).iterations(3))
    .force('x', forceX<Body>(0).strength(0.02))
    .force('y', forceY<Body>(0).strength(0.11))
    .force(
      'link',
      forceLink<Body, SimulationLinkDatum<Body>>(links)
        .distance(({ source, target }) => reach(source) + reach(target) + PLACE_GAP)
        .strength(0.04),
    )
    .stop()
    .tick(TICKS);
}

/** The name of two places, whichever is named first. */
function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** d3 replaces what links name by the bodies themselves. */
function reach(end: Body | string | number): number {
  return typeof end === 'object' ? end.radius : 0;
}

function radiusOf(count: number): number {
  if (count === 1) return PLACE_MARGIN;
  if (count <= RING_MAX) return ringRadius(count) + PLACE_MARGIN;
  return SEED_GAP * Math.sqrt(count) + PLACE_MARGIN;
}

const ringRadius = (count: number): number => Math.max(44, (count * RING_GAP) / (2 * Math.PI));

function seatOf(place: PlaceCircle, seat: number, count: number): Point {
  if (count === 1) return { x: place.x, y: place.y };
  const isRing = count <= RING_MAX;
  const angle = isRing ? (seat / count) * 2 * Math.PI - Math.PI / 2 : seat * GOLDEN_ANGLE;
  const distance = isRing ? ringRadius(count) : SEED_GAP * Math.sqrt(seat + 0.5);
  return {
    x: round(place.x + distance * Math.cos(angle)),
    y: round(place.y + distance * Math.sin(angle)),
  };
}

function strandsOf(graph: Graph, places: readonly PlaceCircle[]): readonly Strand[] {
  const placeOfNode = new Map(graph.nodes.map(({ id, place }) => [id, place]));
  const circles = new Map(places.map((circle) => [circle.place, circle]));
  const strands = new Map<string, Strand>();
  for (const path of graph.paths) {
    const a = circles.get(placeOfNode.get(path.a) ?? '');
    const b = circles.get(placeOfNode.get(path.b) ?? '');
    if (a === undefined || b === undefined || a === b) continue;
    const key = pairOf(a.place, b.place);
    const before = strands.get(key);
    strands.set(key, {
      key,
      from: rimOf(a, b),
      to: rimOf(b, a),
      count: (before?.count ?? 0) + 1,
      downCount: (before?.downCount ?? 0) + Number(path.kind === 'down'),
    });
  }
  return [...strands.values()];
}

/** Where the line from one place to another leaves it. */
function rimOf(from: PlaceCircle, to: PlaceCircle): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return {
    x: round(from.x + ((to.x - from.x) / length) * from.radius),
    y: round(from.y + ((to.y - from.y) / length) * from.radius),
  };
}

/** A margin for names, and never so small that three dots fill the screen. */
function boxOf(places: readonly PlaceCircle[]): readonly [number, number, number, number] {
  const left = Math.min(...places.map(({ x, radius }) => x - radius), 0) - 30;
  const right = Math.max(...places.map(({ x, radius }) => x + radius), 0) + 30;
  const top = Math.min(...places.map(({ y, radius }) => y - radius), 0) - 40;
  const bottom = Math.max(...places.map(({ y, radius }) => y + radius), 0) + 60;
  const width = Math.max(right - left, 420);
  const height = Math.max(bottom - top, 260);
  const middleX = (left + right) / 2;
  const middleY = (top + bottom) / 2;
  return [round(middleX - width / 2), round(middleY - height / 2), round(width), round(height)];
}

const round = (value: number): number => Math.round(value * 10) / 10;
