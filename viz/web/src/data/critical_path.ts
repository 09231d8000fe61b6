import { firstAfter, type Timeline } from "./timeline";

export interface PathStep {
  class: number;
  stream: number;
  index: number;
}

export interface CriticalPath {
  steps: PathStep[];
  classes: number;
  /** share of the step that the path covers */
  followed: number;
  complete: boolean;
  byKind: { kind: string; where: string; spans: number; ns: number }[];
}

/** Nanoseconds between which two times are the same. */
const same = 2;

/** The span of a stream that runs and ends at `time`; waits are nobody's reason. */
function endingAt(timeline: Timeline, of: number, stream: number, time: number): number {
  const spans = timeline.classes[of]!.streams[stream]!;
  for (let i = Math.max(0, firstAfter(spans, time - same - 1)); i < spans.count && spans.begin[i]! < time; ++i)
    if (Math.abs(spans.end[i]! - time) <= same && timeline.kinds[spans.kinds[i]!] !== "wait" && spans.end[i]! > spans.begin[i]!) return i;
  return -1;
}

/** From the end of the step back: before a span comes the one that ended when it began: in its own
 * stream, in another stream of the class, or the send of a message that it received. */
export function criticalPath(timeline: Timeline): CriticalPath {
  const predicted = timeline.classes.map((one, i) => [one, i] as const).filter(([one]) => !one.executed);
  const arrivals = new Map<string, number>();
  const { from, to, begin_ns, end_ns } = timeline.messages;
  for (let i = 0; i < from.length; ++i) arrivals.set(`${to[i]}:${Math.round(end_ns[i]!)}`, i);
  const steps: PathStep[] = [];
  let at: PathStep | null = null;
  let last = 0;
  for (const [one, c] of predicted)
    one.streams.forEach((stream, s) => {
      for (let i = stream.count - 1; i >= 0 && stream.end[i]! > last; --i)
        if (timeline.kinds[stream.kinds[i]!] !== "wait") {
          last = stream.end[i]!;
          at = { class: c, stream: s, index: i };
          break;
        }
    });
  let reached = last;
  const before = (step: PathStep): PathStep | null => {
    const stream = timeline.classes[step.class]!.streams[step.stream]!;
    const begin = stream.begin[step.index]!;
    if (begin <= same) return null;
    if (stream.name === "receive") {  // what was sent is the reason, not the receive
      const message = arrivals.get(`${step.class}:${Math.round(stream.end[step.index]!)}`);
      if (message !== undefined) return search(from[message]!, begin_ns[message]!) ?? search(step.class, begin);
    }
    return search(step.class, begin, step.stream);
  };
  const search = (of: number, time: number, firstStream = 0): PathStep | null => {
    const streams = timeline.classes[of]!.streams;
    for (let n = 0; n < streams.length; ++n) {
      const s = n === 0 ? firstStream : n <= firstStream ? n - 1 : n;
      const index = endingAt(timeline, of, s, time);
      if (index >= 0) return { class: of, stream: s, index };
    }
    return null;
  };
  for (let step: PathStep | null = at; step; ) {
    steps.push(step);
    reached = timeline.classes[step.class]!.streams[step.stream]!.begin[step.index]!;
    step = before(step);
  }
  const totals = new Map<string, { kind: string; where: string; spans: number; ns: number }>();
  for (const step of steps) {
    const stream = timeline.classes[step.class]!.streams[step.stream]!;
    const kind = timeline.kinds[stream.kinds[step.index]!]!;
    const where = timeline.classes[step.class]!.name;
    const key = `${kind}\n${where}`;
    const total = totals.get(key) ?? { kind, where, spans: 0, ns: 0 };
    total.spans++;
    total.ns += stream.end[step.index]! - stream.begin[step.index]!;
    totals.set(key, total);
  }
  return {
    steps, classes: new Set(steps.map((step) => step.class)).size,
    followed: last > 0 ? (last - reached) / last : 1, complete: reached <= same,
    byKind: [...totals.values()].sort((a, b) => b.ns - a.ns).slice(0, 20),
  };
}
