import { find, type Document } from "./documents";

interface RawStream {
  name: string;
  names: number[];
  kinds: number[];
  gap_ns: number[];
  length_ns: number[];
  micro_batches: number[];
  chunks: number[];
  segments: number[];
  bytes: number[];
  /** places of spans on the critical path */
  critical?: number[];
}

interface RawSegment {
  segment: number;
  names: number[];
  kinds: number[];
  bytes: number[];
  kernel_ns: number[];
  beyond_ns: number[];
}

interface RawTimeline extends Document {
  scenario: string;
  step_time_s: number;
  names: string[];
  kinds: string[];
  classes: {
    name: string;
    rank: number;
    ranks: number;
    stage: number;
    executed: boolean;
    streams: RawStream[];
    segments?: RawSegment[];
    memory?: { time_ns: number[]; used_bytes: number[] };
  }[];
  messages: { from: number[]; to: number[]; names: number[]; begin_ns: number[]; end_ns: number[] };
}

/** Spans of a stream, in order of time, as columns. */
export interface Stream {
  name: string;
  count: number;
  names: Uint32Array;
  kinds: Uint8Array;
  begin: Float64Array;
  end: Float64Array;
  microBatches: Int32Array;
  chunks: Int16Array;
  segments: Int32Array;
  bytes: Float64Array;
  /** 1: on the critical path */
  critical: Uint8Array;
}

export interface RankClass {
  name: string;
  rank: number;
  ranks: number;
  stage: number;
  executed: boolean;
  streams: Stream[];
  segments: Map<number, RawSegment>;
  memory?: { time_ns: number[]; used_bytes: number[] };
}

export interface Timeline {
  scenario: string;
  /** of the last span, nanoseconds */
  end: number;
  names: string[];
  kinds: string[];
  classes: RankClass[];
  messages: RawTimeline["messages"];
}

function readStream(raw: RawStream): Stream {
  const count = raw.names.length;
  const begin = new Float64Array(count);
  const end = new Float64Array(count);
  const critical = new Uint8Array(count);
  for (const i of raw.critical ?? []) critical[i] = 1;
  let at = 0;
  for (let i = 0; i < count; ++i) {
    begin[i] = at + raw.gap_ns[i]!;
    at = end[i] = begin[i]! + raw.length_ns[i]!;
  }
  return {
    name: raw.name,
    count,
    begin,
    end,
    names: Uint32Array.from(raw.names),
    kinds: Uint8Array.from(raw.kinds),
    microBatches: Int32Array.from(raw.micro_batches),
    chunks: Int16Array.from(raw.chunks),
    segments: Int32Array.from(raw.segments),
    bytes: Float64Array.from(raw.bytes),
    critical,
  };
}

const known = new WeakMap<Document[], Timeline | null>();

export function readTimeline(documents: Document[]): Timeline | null {
  const before = known.get(documents);
  if (before !== undefined) return before;
  const raw = find<RawTimeline>(documents, "foreshard.timeline.v1");
  const made = raw ? build(raw) : null;
  known.set(documents, made);
  return made;
}

function build(raw: RawTimeline): Timeline {
  const classes = raw.classes.map((one): RankClass => ({
    name: one.name,
    rank: one.rank,
    ranks: one.ranks,
    stage: one.stage,
    executed: one.executed,
    memory: one.memory,
    streams: one.streams.map(readStream),
    segments: new Map((one.segments ?? []).map((segment) => [segment.segment, segment])),
  }));
  let end = 0;
  for (const one of classes)
    for (const stream of one.streams)
      if (stream.count > 0) end = Math.max(end, stream.end[stream.count - 1]!);
  return { scenario: raw.scenario, end, names: raw.names, kinds: raw.kinds, classes, messages: raw.messages };
}

/** The first span that ends after `time`. */
export function firstAfter(stream: Stream, time: number): number {
  let low = 0;
  let high = stream.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stream.end[middle]! > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

export interface Piece {
  name: number;
  kind: number;
  bytes: number;
  begin: number;
  end: number;
}

/** What is inside a span of a segment: kernels keep the time they were priced at and collectives
 * share the rest; without collectives, or when the segment ran faster than its kernels, all are
 * scaled alike. */
export function piecesOf(of: RankClass, stream: Stream, index: number): Piece[] {
  const raw = of.segments.get(stream.segments[index]!);
  if (!raw) return [];
  const total = stream.end[index]! - stream.begin[index]!;
  const kernels = raw.kernel_ns.reduce((a, b) => a + b, 0);
  const beyond = raw.beyond_ns.reduce((a, b) => a + b, 0);
  const rest = total - kernels;
  const shares = beyond > 0 && rest > 0;
  const scale = shares || kernels <= 0 ? 1 : total / kernels;
  let at = stream.begin[index]!;
  return raw.names.map((name, i) => {
    const length = raw.kernel_ns[i]! * scale + (shares ? (rest * raw.beyond_ns[i]!) / beyond : 0);
    const begin = at;
    at = Math.min(stream.end[index]!, at + length);
    return { name, kind: raw.kinds[i]!, bytes: raw.bytes[i]!, begin, end: at };
  });
}

/** "forward chunk 0 #3" */
export function titleOf(timeline: Timeline, stream: Stream, index: number): string {
  const waits = timeline.kinds[stream.kinds[index]!] === "wait" ? "wait: " : "";
  const micro = stream.microBatches[index]! >= 0 ? ` #${stream.microBatches[index]}` : "";
  return `${waits}${timeline.names[stream.names[index]!]}${micro}`;
}
