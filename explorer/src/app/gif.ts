/** GIF films: a palette of 256 colors for all frames, and Lempel, Ziv and Welch's compression. */

export interface Frame { width: number; height: number; data: Uint8ClampedArray }

/** 5 bits a channel: where a color is counted and looked up. */
const cell = (data: ArrayLike<number>, at: number): number =>
  ((data[at] >> 3) << 10) | ((data[at + 1] >> 3) << 5) | (data[at + 2] >> 3);

interface Box { cells: number[]; count: number }
const channel = (cellIndex: number, c: number): number => (cellIndex >> (10 - 5 * c)) & 31;

/** Up to 256 colors by median cut: the box with the most pixels is split at its middle pixel. */
export function palette(frames: readonly Frame[]): { colors: number[][]; lookup: Uint8Array } {
  const counts = new Uint32Array(32768);
  for (const { data } of frames) for (let i = 0; i < data.length; i += 4) counts[cell(data, i)]++;
  const used = [...counts.keys()].filter((i) => counts[i] > 0);
  const box = (cells: number[]): Box => ({ cells, count: cells.reduce((sum, i) => sum + Math.sqrt(counts[i]), 0) });
  const boxes = [box(used)];
  while (boxes.length < 256) {
    const widest = boxes.reduce((best, each, i) => (each.cells.length > 1 && each.count > (boxes[best]?.cells.length > 1 ? boxes[best].count : -1) ? i : best), 0);
    if (boxes[widest].cells.length < 2) break;
    boxes.splice(widest, 1, ...halves(boxes[widest], counts).map(box));
  }
  const lookup = new Uint8Array(32768);
  const colors = boxes.map(({ cells }, index) => {
    const total = cells.reduce((sum, i) => sum + counts[i], 0);
    for (const i of cells) lookup[i] = index;
    return [0, 1, 2].map((c) => {
      const middle = cells.reduce((sum, i) => sum + counts[i] * channel(i, c), 0) / total;
      return Math.min(255, Math.round((middle * 255) / 31));
    });
  });
  return { colors, lookup };
}

function halves({ cells }: Box, counts: Uint32Array): number[][] {
  const spread = [0, 1, 2].map((c) => {
    const values = cells.map((i) => channel(i, c));
    return values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));
  });
  const axis = spread.indexOf(Math.max(...spread));
  const sorted = [...cells].sort((a, b) => channel(a, axis) - channel(b, axis));
  const whole = sorted.reduce((sum, i) => sum + Math.sqrt(counts[i]), 0);
  let [sum, cut] = [0, 0];
  while (cut < sorted.length - 1 && sum < whole / 2) sum += Math.sqrt(counts[sorted[cut++]]);
  return [sorted.slice(0, Math.max(1, cut)), sorted.slice(Math.max(1, cut))];
}

/** Codes of 9 to 12 bits for indices of 8 bits, the lowest bit first. */
export function compress(indices: Uint8Array): Uint8Array {
  const [clear, end] = [256, 257];
  const out: number[] = [];
  let [bits, held, size] = [0, 0, 9];
  const write = (code: number): void => {
    bits |= code << held;
    held += size;
    while (held >= 8) {
      out.push(bits & 255);
      bits >>>= 8;
      held -= 8;
    }
  };
  let table = new Map<number, number>();
  let next = 258;
  write(clear);
  let prefix = indices[0];
  for (let i = 1; i < indices.length; i++) {
    const key = (prefix << 8) | indices[i];
    const known = table.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    write(prefix);
    if (next < 4096) {
      table.set(key, next);
      if (next++ === 1 << size) size++;
    } else {
      write(clear);
      [table, next, size] = [new Map(), 258, 9];
    }
    prefix = indices[i];
  }
  write(prefix);
  write(end);
  if (held > 0) out.push(bits & 255);
  return Uint8Array.from(out);
}

const word = (value: number): number[] => [value & 255, value >> 8];

/** The bytes of a film that repeats, each frame `delay` hundredths of a second. */
export function gif(frames: readonly Frame[], delay: number): Uint8Array {
  const { width, height } = frames[0];
  const { colors, lookup } = palette(frames);
  const table = Array.from({ length: 256 }, (_, i) => colors[i] ?? [0, 0, 0]).flat();
  const parts: Uint8Array[] = [];
  const bytes = (...values: number[]): void => void parts.push(Uint8Array.from(values));
  const letters = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));
  bytes(...letters("GIF89a"), ...word(width), ...word(height), 0xf7, 0, 0, ...table);
  bytes(0x21, 0xff, 11, ...letters("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  for (const { data } of frames) {
    bytes(0x21, 0xf9, 4, 4, ...word(delay), 0, 0, 0x2c, 0, 0, 0, 0, ...word(width), ...word(height), 0, 8);
    const indices = new Uint8Array(width * height).map((_, i) => lookup[cell(data, 4 * i)]);
    const codes = compress(indices);
    for (let from = 0; from < codes.length; from += 255) {
      const block = codes.subarray(from, from + 255);
      parts.push(Uint8Array.of(block.length), block);
    }
    bytes(0);
  }
  bytes(0x3b);
  const film = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    film.set(part, at);
    at += part.length;
  }
  return film;
}
