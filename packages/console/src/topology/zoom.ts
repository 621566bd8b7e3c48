/** The part of the picture that is seen: moved by drag and keys, scaled by wheel and buttons. */

export interface Lens {
  /** What is seen: left, top, width, height in the picture's units. */
  readonly box: readonly [number, number, number, number];
  /** How much larger than the whole picture. */
  readonly scale: number;
}

const SCALE_MIN = 0.6;
const SCALE_MAX = 12;

/** The whole picture. */
export function wholeLens(box: Lens['box']): Lens {
  return { box, scale: 1 };
}

/** Scales about a point, given as shares of width and height. */
export function zoomLens(lens: Lens, factor: number, atX = 0.5, atY = 0.5): Lens {
  const scale = Math.min(SCALE_MAX, Math.max(SCALE_MIN, lens.scale * factor));
  const real = scale / lens.scale;
  const [left, top, width, height] = lens.box;
  const newWidth = width / real;
  const newHeight = height / real;
  return {
    scale,
    box: [left + (width - newWidth) * atX, top + (height - newHeight) * atY, newWidth, newHeight],
  };
}

/** Moves by shares of what is seen. */
export function moveLens(lens: Lens, byX: number, byY: number): Lens {
  const [left, top, width, height] = lens.box;
  return { ...lens, box: [left + byX * width, top + byY * height, width, height] };
}
