/** Where nodes stand in the picture of the topology. */
import { describe, expect, test } from 'vitest';
import type { Graph } from './graph.ts';
import { layOut } from './layout.ts';

/** `sizes`: how many nodes each place has; each node talks with the one behind it. */
function graphOf(sizes: readonly number[]): Graph {
  const nodes = sizes.flatMap((size, place) =>
    Array.from({ length: size }, (_, index) => ({
      id: `${place}-${index}`,
      name: `node-${place}-${index}`,
      kind: 'good' as const,
      word: 'online',
      place: `10.0.${place}.0/24`,
      endpoint: null,
      peersUp: 0,
      peersTotal: 0,
    })),
  );
  const paths = nodes.slice(1).map((node, index) => ({
    a: nodes[index]?.id ?? '',
    b: node.id,
    kind: 'direct' as const,
    latencyMs: null,
    bytesPerSecond: null,
  }));
  return { nodes, paths, places: [...new Set(nodes.map(({ place }) => place))], hiddenCount: 0 };
}

const CASES = [
  [1],
  [3],
  [2, 1],
  [14],
  [15],
  [200, 150, 80, 50, 20],
  Array.from({ length: 40 }, () => 3),
];

describe.each(CASES.map((sizes) => [sizes] as const))('places of %j nodes', (sizes) => {
  const layout = layOut(graphOf(sizes));
  const points = [...layout.nodes.values()];

  test('every node has a point of its own', () => {
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(points).toHaveLength(total);
    expect(new Set(points.map(({ x, y }) => `${x} ${y}`)).size).toBe(total);
  });

  test('nodes stand apart by more than their dots', () => {
    const gaps = points.flatMap((a, index) =>
      points.slice(index + 1).map((b) => Math.hypot(a.x - b.x, a.y - b.y)),
    );
    expect(gaps.every((gap) => gap > layout.dot * 1.5)).toBe(true);
  });

  test('no place covers another', () => {
    for (const [index, a] of layout.places.entries()) {
      for (const b of layout.places.slice(index + 1))
        expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(a.radius + b.radius);
    }
  });

  test('everything is within the box', () => {
    const [left, top, width, height] = layout.box;
    for (const { x, y, radius } of layout.places) {
      expect(x - radius).toBeGreaterThanOrEqual(left);
      expect(y - radius).toBeGreaterThanOrEqual(top);
      expect(x + radius).toBeLessThanOrEqual(left + width);
      expect(y + radius).toBeLessThanOrEqual(top + height);
    }
  });

  test('the same graph stands the same', () => {
    expect(layOut(graphOf(sizes))).toEqual(layout);
  });
});

test('two places that talk have one strand, which counts their paths', () => {
  const { strands } = layOut(graphOf([2, 1]));
  expect(strands).toHaveLength(1);
  expect(strands[0]?.count).toBe(1);
});
