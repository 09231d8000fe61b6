import { firstAfter, type Stream, type Timeline } from "./timeline";

export interface PathStep {
  class: number;
  stream: number;
  index: number;
}

export interface CriticalPath {
  /** from the end of the step back */
  steps: PathStep[];
  classes: number;
  /** nanoseconds that the path waits for ranks that are not shown */
  unseen: number;
  byKind: { kind: string; where: string; spans: number; ns: number }[];
}

/** Nanoseconds between which two times are the same. */
const same = 2;

class Path {
  private readonly arrivals = new Map<string, number>();
  readonly steps: PathStep[] = [];
  unseen = 0;

  constructor(private readonly timeline: Timeline) {
    const { to, end_ns } = timeline.messages;
    for (let i = 0; i < to.length; ++i) this.arrivals.set(`${to[i]}:${Math.round(end_ns[i]!)}`, i);
    for (let step = this.lastBefore(this.shown(), timeline.end + same + 1); step;) {
      this.steps.push(step);
      step = this.before(step);
    }
  }

  private shown(): number[] {
    return this.timeline.classes.flatMap((one, i) => (one.executed ? [] : [i]));
  }

  private stream(step: PathStep): Stream {
    return this.timeline.classes[step.class]!.streams[step.stream]!;
  }

  private isWait(stream: Stream, index: number): boolean {
    return this.timeline.kinds[stream.kinds[index]!] === "wait";
  }

  /** Of all streams of these classes, the span that ends last at or before `time`; `first` wins among
   * equals. Waits are nobody's reason. */
  private lastBefore(classes: number[], time: number, first?: PathStep): PathStep | null {
    let best: PathStep | null = null;
    let end = -1;
    for (const c of classes)
      this.timeline.classes[c]!.streams.forEach((stream, s) => {
        for (let i = Math.min(firstAfter(stream, time + same), stream.count - 1); i >= 0; --i) {
          if (
            stream.end[i]! > time + same ||
            stream.begin[i]! >= time ||
            stream.end[i] === stream.begin[i] ||
            this.isWait(stream, i)
          )
            continue;
          const own = first !== undefined && first.class === c && first.stream === s;
          if (stream.end[i]! > end + same || (own && stream.end[i]! >= end - same)) {
            best = { class: c, stream: s, index: i };
            end = stream.end[i]!;
          }
          break;
        }
      });
    return best;
  }

  /** The span that `step` waited for. */
  private before(step: PathStep): PathStep | null {
    const stream = this.stream(step);
    let from = step.class;
    let begin = stream.begin[step.index]!;
    const message =
      stream.name === "receive"
        ? this.arrivals.get(`${step.class}:${Math.round(stream.end[step.index]!)}`)
        : undefined;
    if (message !== undefined) {
      // what was sent is the reason, not the receive
      from = this.timeline.messages.from[message]!;
      begin = this.timeline.messages.begin_ns[message]!;
    } else if (step.index > 0 && this.isWait(stream, step.index - 1)) {
      // A collective begins when the last of its members has come: the class that waits least.
      let least = begin - stream.begin[step.index - 1]!;
      for (const c of this.shown())
        for (const other of this.timeline.classes[c]!.streams) {
          const i = firstAfter(other, stream.begin[step.index]! + same);
          if (
            other.name !== stream.name ||
            i >= other.count ||
            Math.abs(other.begin[i]! - stream.begin[step.index]!) > same ||
            other.names[i] !== stream.names[step.index]
          )
            continue;
          const waited = i > 0 && this.isWait(other, i - 1) ? other.begin[i]! - other.begin[i - 1]! : 0;
          if (waited < least) [least, from] = [waited, c];
        }
      begin -= least;
      this.unseen += least;
    }
    if (begin <= same) return null;
    const found = this.lastBefore([from], begin, from === step.class ? step : undefined);
    this.unseen += found ? Math.max(0, begin - this.stream(found).end[found.index]!) : begin;
    return found;
  }
}

/** From the end of the step back: before a span comes the one that ended when it began, in its own
 * stream, in another of its class, or where a message or the last member of a collective came from. */
export function criticalPath(timeline: Timeline): CriticalPath {
  const path = new Path(timeline);
  const totals = new Map<string, { kind: string; where: string; spans: number; ns: number }>();
  for (const step of path.steps) {
    const stream = timeline.classes[step.class]!.streams[step.stream]!;
    const kind = timeline.kinds[stream.kinds[step.index]!]!;
    const where = timeline.classes[step.class]!.name;
    const total = totals.get(`${kind}\n${where}`) ?? { kind, where, spans: 0, ns: 0 };
    total.spans++;
    total.ns += stream.end[step.index]! - stream.begin[step.index]!;
    totals.set(`${kind}\n${where}`, total);
  }
  return {
    steps: path.steps,
    classes: new Set(path.steps.map((step) => step.class)).size,
    unseen: path.unseen,
    byKind: [...totals.values()].sort((a, b) => b.ns - a.ns),
  };
}
