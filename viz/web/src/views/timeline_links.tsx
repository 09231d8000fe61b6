import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Topology } from "../data/topology";
import { count, nanoseconds, percent } from "../format";
import { inks, loadColour, theme } from "../palette";
import { clear } from "../ui/canvas";
import { useSignal } from "../ui/signal";
import { labelWidth, type Window } from "./timeline_paint";

/** Links shown at most, each for all that have the same course. */
const shown = 8;
const rowHeight = 18;

interface Row {
  label: string;
  title: string;
  loads: number[];
}

/** The busiest links, those with the same course as one. */
function busiest(topology: Topology): Row[] {
  const { courses, links, devices } = topology;
  if (!courses || !links.use) return [];
  const order = Array.from({ length: links.count }, (_, i) => i).filter((i) => courses.ofLink[i]! >= 0);
  const alike = new Map<number, number[]>();
  for (const i of order.sort((a, b) => links.use![b]! - links.use![a]! || a - b)) {
    const course = courses.ofLink[i]!;
    if (!alike.has(course) && alike.size === shown) continue;
    alike.has(course) ? alike.get(course)!.push(i) : alike.set(course, [i]);
  }
  return [...alike].map(([course, all]) => {
    const first = all[0]!;
    const name = `${devices[links.from[first]!]!.name} → ${devices[links.to[first]!]!.name}`;
    return {
      label: all.length > 1 ? `${count(all.length)} × ${name}` : name,
      title: all.length > 1 ? `${name} and ${count(all.length - 1)} alike` : name,
      loads: courses.loads[course]!,
    };
  });
}

function paint(canvas: HTMLCanvasElement, rows: Row[], window: Window, end: number): void {
  const { context, width, height } = clear(canvas);
  const ink = inks();
  const scale = (width - labelWidth) / (window.to - window.from);
  rows.forEach((row, r) => {
    const top = r * rowHeight;
    context.save();
    context.beginPath();
    context.rect(0, top, labelWidth - 6, rowHeight);
    context.clip();
    context.fillStyle = ink.text;
    context.fillText(row.label, 6, top + rowHeight / 2);
    context.restore();
    context.save();
    context.beginPath();
    context.rect(labelWidth, top, width - labelWidth, rowHeight);
    context.clip();
    row.loads.forEach((load, i) => {
      if (load === 0) return;
      const from = labelWidth + ((end * i) / row.loads.length - window.from) * scale;
      const wide = (end / row.loads.length) * scale;
      if (from > width || from + wide < labelWidth) return;
      // As high as it is busy, so that it can be read without colour.
      const high = Math.max(1, Math.min(1, load / 1000) * (rowHeight - 3));
      context.fillStyle = loadColour(load / 1000);
      context.fillRect(from, top + rowHeight - 1 - high, Math.max(wide, 0.8), high);
    });
    context.restore();
  });
  context.strokeStyle = ink.line;
  context.strokeRect(labelWidth + 0.5, -1, 0, height + 2);
}

/** How busy the busiest links are over the window of the timeline above. */
export function LinkStrip({ topology, window, end }: { topology: Topology; window: Window; end: number }) {
  const rows = useMemo(() => busiest(topology), [topology]);
  const colours = useSignal(theme);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<{ row: number; interval: number } | null>(null);
  const last = useRef({ window });
  last.current = { window };
  useEffect(() => {
    if (canvas.current) paint(canvas.current, rows, window, end);
  }, [rows, window, end, colours]);
  useEffect(() => {
    if (!canvas.current) return;
    const observer = new ResizeObserver(() => paint(canvas.current!, rows, last.current.window, end));
    observer.observe(canvas.current);
    return () => observer.disconnect();
  }, [rows, end]);
  if (rows.length === 0) return null;
  const pick = (event: MouseEvent) => {
    const element = canvas.current!;
    const row = Math.floor(event.offsetY / rowHeight);
    const time =
      window.from +
      ((event.offsetX - labelWidth) / (element.clientWidth - labelWidth)) * (window.to - window.from);
    const intervals = rows[0]!.loads.length;
    const interval = Math.floor((time / end) * intervals);
    setAt(rows[row] && interval >= 0 && interval < intervals ? { row, interval } : null);
  };
  const chosen = at && rows[at.row];
  const long = end / rows[0]!.loads.length;
  return (
    <>
      <h3>Busiest links</h3>
      <div class="canvas-box">
        <canvas
          ref={canvas}
          aria-label="load of the busiest links"
          style={{ height: `${rows.length * rowHeight + 2}px` }}
          onPointerMove={pick}
          onPointerLeave={() => setAt(null)}
        />
      </div>
      <p class="note" data-testid="link-load">
        {chosen
          ? `${chosen.title}: ${percent(chosen.loads[at.interval]! / 1000)} of its rate from ${nanoseconds(at.interval * long)} on, for ${nanoseconds(long)}`
          : "Share of the rate, bytes of a transfer spread evenly over its time. Point at a bar to read it; the Topology view colours all links by moment."}
      </p>
    </>
  );
}
