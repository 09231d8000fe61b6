import type { RankClass, Stream, Timeline } from "../data/timeline";

/** A line of the picture: a stream of a rank class. */
export interface Row {
  class: number;
  stream: number;
  label: string;
  of: RankClass;
  spans: Stream;
  height: number;
  top: number;
  /** of the cells of a pipeline schedule */
  cells: boolean;
}

const streamHeight = 20;
const piecesHeight = 36;
const cellHeight = 30;

function stacked(rows: Omit<Row, "top">[]): Row[] {
  let top = 0;
  return rows.map((row) => {
    const placed = { ...row, top };
    top += row.height + 2;
    return placed;
  });
}

const ranks = (of: RankClass): string =>
  of.ranks === 1 ? `rank ${of.rank}` : `rank ${of.rank}, ${of.ranks} alike`;

/** Every stream of every class; where the step was executed too, its streams lie under those of the
 * forecast. */
export function streamRows(timeline: Timeline): Row[] {
  const rows: Omit<Row, "top">[] = [];
  const predicted = timeline.classes.map((of, index) => ({ of, index })).filter(({ of }) => !of.executed);
  for (const { of, index } of predicted) {
    const measured = timeline.classes.findIndex((other) => other.executed && other.rank === of.rank);
    of.streams.forEach((spans, stream) => {
      const pieces = of.segments.size > 0 && spans.name === "compute";
      rows.push({
        class: index,
        stream,
        of,
        spans,
        cells: false,
        height: pieces ? piecesHeight : streamHeight,
        label: stream === 0 ? `${of.name} (${ranks(of)}) · ${spans.name}` : `    ${spans.name}`,
      });
      if (measured < 0) return;
      const other = timeline.classes[measured]!;
      const at = other.streams.findIndex((s) => s.name === spans.name);
      if (at >= 0)
        rows.push({
          class: measured,
          stream: at,
          of: other,
          spans: other.streams[at]!,
          cells: false,
          height: streamHeight,
          label: `    ${spans.name}, measured`,
        });
    });
  }
  return stacked(rows);
}

/** A pipeline as engineers draw it: a row a stage, a cell a micro-batch; what the compute stream
 * does for the same micro-batch, chunk and pass in a row is one cell. */
export function scheduleRows(timeline: Timeline): Row[] {
  const rows: Omit<Row, "top">[] = [];
  timeline.classes.forEach((of, index) => {
    const stream = of.streams.findIndex((s) => s.name === "compute");
    if (stream < 0 || of.executed) return;
    rows.push({
      class: index,
      stream,
      of,
      spans: cellsOf(timeline, of.streams[stream]!),
      cells: true,
      height: cellHeight,
      label: `${of.name} (${ranks(of)})`,
    });
  });
  rows.sort((a, b) => a.of.stage - b.of.stage || a.of.rank - b.of.rank);
  return stacked(rows);
}

function cellsOf(timeline: Timeline, s: Stream): Stream {
  const pass = (i: number): string => timeline.kinds[s.kinds[i]!]!;
  const kept: { first: number; last: number }[] = [];
  for (let i = 0; i < s.count; ++i) {
    const before = kept[kept.length - 1];
    if (s.end[i] === s.begin[i] || pass(i) === "wait") continue;
    if (
      before &&
      s.microBatches[i]! >= 0 &&
      s.microBatches[before.last] === s.microBatches[i] &&
      s.chunks[before.last] === s.chunks[i] &&
      pass(before.last) === pass(i)
    )
      before.last = i;
    else kept.push({ first: i, last: i });
  }
  const pick = <A extends { [i: number]: number }>(array: A, end: "first" | "last") =>
    kept.map((cell) => array[cell[end]]!);
  return {
    name: s.name,
    count: kept.length,
    names: Uint32Array.from(pick(s.names, "first")),
    kinds: Uint8Array.from(pick(s.kinds, "first")),
    begin: Float64Array.from(pick(s.begin, "first")),
    end: Float64Array.from(pick(s.end, "last")),
    microBatches: Int32Array.from(pick(s.microBatches, "first")),
    chunks: Int16Array.from(pick(s.chunks, "first")),
    segments: Int32Array.from(kept.map((cell) => (cell.first === cell.last ? s.segments[cell.first]! : -1))),
    bytes: Float64Array.from(pick(s.bytes, "first")),
    critical: Uint8Array.from(kept.map((cell) => Math.max(...s.critical.subarray(cell.first, cell.last + 1)))),
  };
}
