import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Document } from "../data/documents";
import { firstAfter, piecesOf, readTimeline, titleOf, type Timeline } from "../data/timeline";
import { readTopologies } from "../data/topology";
import { byteRate, bytes, nanoseconds, percent } from "../format";
import { labelOfKind } from "../labels";
import { colourOf, theme } from "../palette";
import { useHash } from "../ui/hash";
import { Choice, Panel, Term } from "../ui/panel";
import { save } from "../ui/save";
import { useSignal } from "../ui/signal";
import { DataTable } from "../ui/table";
import { LinkStrip } from "./timeline_links";
import { axisHeight, labelWidth, paint, type Scene, type Window } from "./timeline_paint";
import { scheduleRows, streamRows, type Row } from "./timeline_rows";

type Selection = { row: number; index: number };

function Details({ timeline, row, index }: { timeline: Timeline; row: Row; index: number }) {
  const s = row.spans;
  const length = s.end[index]! - s.begin[index]!;
  const pieces = piecesOf(row.of, s, index);
  const moved = s.bytes[index]!;
  return (
    <>
      <p data-testid="span">
        <i class="swatch" style={{ background: colourOf(timeline.kinds[s.kinds[index]!]!) }} />
        <b>{titleOf(timeline, s, index)}</b> · {timeline.kinds[s.kinds[index]!]} · {row.of.name},{" "}
        <Term of="stream" /> {s.name}
        {s.microBatches[index]! >= 0 && (
          <>
            {" "}
            · <Term of="micro-batch" /> {s.microBatches[index]}, chunk {s.chunks[index]}
          </>
        )}
        <br />
        {nanoseconds(s.begin[index]!)} to {nanoseconds(s.end[index]!)}: <b>{nanoseconds(length)}</b> (
        {percent(length / timeline.end, 2)} of the step)
        {moved > 0 && (
          <>
            {" "}
            · {bytes(moved)}
            {length > 0 && <>, {byteRate(moved / (length * 1e-9))}</>}
          </>
        )}
      </p>
      {pieces.length > 0 && (
        <DataTable
          name={`inside ${titleOf(timeline, s, index)}`}
          rows={pieces}
          search
          columns={[
            {
              title: "inside",
              value: (p) => timeline.names[p.name]!,
              show: (p) => (
                <>
                  <i class="swatch" style={{ background: colourOf(timeline.kinds[p.kind]!) }} />
                  {timeline.names[p.name]}
                </>
              ),
            },
            { title: "kind", value: (p) => timeline.kinds[p.kind]! },
            { title: "begin", value: (p) => p.begin, text: (v) => nanoseconds(v) },
            { title: "time", value: (p) => p.end - p.begin, text: (v) => nanoseconds(v) },
            { title: "bytes", value: (p) => (p.bytes > 0 ? p.bytes : undefined), text: (v) => bytes(v) },
          ]}
        />
      )}
    </>
  );
}

const kindOrder = [
  "forward",
  "backward",
  "recompute",
  "optimizer",
  "host",
  "allocator",
  "tensor",
  "context",
  "expert",
  "data",
  "parameter",
  "pipeline",
  "other",
  "wait",
];

export function TimelineView({ documents }: { documents: Document[] }) {
  const timeline = readTimeline(documents)!;
  const topology = readTopologies(documents)[0];
  useSignal(theme);
  const staged = new Set(timeline.classes.map((one) => one.stage)).size > 1;
  const [mode, setMode] = useHash("rows", "streams");
  const [text, setText] = useHash("find", "");
  const [range, setRange] = useHash("time", "");
  const [selection, setSelection] = useState<Selection | null>(null);
  const [arrows, setArrows] = useState(false);
  const [critical, setCritical] = useState(false);
  const [scroll, setScroll] = useState(0);
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const rows = useMemo(
    () => (mode === "schedule" ? scheduleRows(timeline) : streamRows(timeline)),
    [timeline, mode],
  );
  const window = useMemo((): Window => {
    const [from, to] = range.split("-").map(Number);
    return to! > from! ? { from: from!, to: to! } : { from: 0, to: timeline.end };
  }, [range, timeline]);
  const wanted = useMemo(() => {
    const words = text.trim().toLowerCase();
    return words === ""
      ? null
      : Uint8Array.from(timeline.names, (name) => (name.toLowerCase().includes(words) ? 1 : 0));
  }, [text, timeline]);
  const hits = useMemo(() => {
    if (!wanted) return 0;
    let n = 0;
    for (const row of rows) for (let i = 0; i < row.spans.count; ++i) n += wanted[row.spans.names[i]!]!;
    return n;
  }, [wanted, rows]);
  const scene: Scene = {
    timeline,
    rows,
    window,
    scroll,
    wanted,
    selected: selection,
    messages: arrows,
    path: critical,
  };
  const last = useRef(scene);
  last.current = scene;
  const rowsHeight = rows.length === 0 ? 0 : rows[rows.length - 1]!.top + rows[rows.length - 1]!.height;
  const height = Math.min(axisHeight + rowsHeight + 4, 620);

  useEffect(() => setSelection(null), [rows]);
  useEffect(() => paint(canvas.current!, last.current));
  useEffect(() => {
    const observer = new ResizeObserver(() => paint(canvas.current!, last.current));
    observer.observe(canvas.current!);
    return () => observer.disconnect();
  }, []);

  const show = (from: number, to: number) => {
    const length = Math.min(Math.max(to - from, 100), timeline.end);
    const begin = Math.max(0, Math.min(from, timeline.end - length));
    setRange(length >= timeline.end ? "" : `${Math.round(begin)}-${Math.round(begin + length)}`);
  };
  const zoom = (factor: number, around = 0.5) => {
    const { from, to } = last.current.window;
    const at = from + (to - from) * around;
    show(at - (at - from) * factor, at + (to - at) * factor);
  };
  const pan = (share: number) => {
    const { from, to } = last.current.window;
    show(from + (to - from) * share, to + (to - from) * share);
  };
  const timeAt = (x: number) =>
    window.from + ((x - labelWidth) / (canvas.current!.clientWidth - labelWidth)) * (window.to - window.from);
  const pick = (event: MouseEvent): Selection | null => {
    const y = event.offsetY - axisHeight + scroll;
    const row = rows.findIndex((one) => y >= one.top && y <= one.top + one.height);
    if (row < 0 || event.offsetX < labelWidth) return null;
    const near = (window.to - window.from) / (canvas.current!.clientWidth - labelWidth);
    const index = firstAfter(rows[row]!.spans, timeAt(event.offsetX) - near);
    return index < rows[row]!.spans.count && rows[row]!.spans.begin[index]! <= timeAt(event.offsetX) + near
      ? { row, index }
      : null;
  };
  const next = () => {
    if (!wanted) return;
    const start = selection ?? { row: 0, index: -1 };
    for (let n = 0; n <= rows.length; ++n) {
      const row = (start.row + n) % rows.length;
      const spans = rows[row]!.spans;
      for (let i = n === 0 ? start.index + 1 : 0; i < spans.count; ++i)
        if (wanted[spans.names[i]!]) {
          const length = Math.max(spans.end[i]! - spans.begin[i]!, 1000);
          setSelection({ row, index: i });
          show(spans.begin[i]! - 4 * length, spans.end[i]! + 4 * length);
          box.current!.scrollTo({ top: Math.max(0, rows[row]!.top - 200) });
          return;
        }
    }
  };
  const drag = useRef<{ x: number; window: Window; moved: boolean } | null>(null);
  useEffect(() => {
    const element = canvas.current!;
    const onWheel = (event: WheelEvent) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        zoom(
          event.deltaY > 0 ? 1.25 : 0.8,
          Math.max(0, event.offsetX - labelWidth) / (element.clientWidth - labelWidth),
        );
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        pan((event.deltaX || event.deltaY) / 1500);
      }
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [timeline]);
  const onKey = (event: KeyboardEvent) => {
    const acts: Record<string, () => void> = {
      w: () => zoom(0.6),
      "+": () => zoom(0.6),
      s: () => zoom(1.6),
      "-": () => zoom(1.6),
      a: () => pan(-0.25),
      ArrowLeft: () => pan(-0.25),
      d: () => pan(0.25),
      ArrowRight: () => pan(0.25),
      "0": () => show(0, timeline.end),
      n: next,
      ArrowUp: () => box.current!.scrollBy(0, -40),
      ArrowDown: () => box.current!.scrollBy(0, 40),
      Escape: () => setSelection(null),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  const spans = timeline.classes.reduce((n, one) => n + one.streams.reduce((m, s) => m + s.count, 0), 0);
  const savePicture = () =>
    canvas.current!.toBlob((blob) => blob && save("timeline.svg", svgOf(canvas.current!), "image/svg+xml"));
  return (
    <div class="view">
      <Panel
        wide
        title="Timeline"
        note={
          <>
            {spans.toLocaleString("en")} spans of {timeline.classes.length}{" "}
            <Term of="rank class">{timeline.classes.length === 1 ? "rank class" : "rank classes"}</Term>, each drawn by its lowest rank. Drag or a, d to move, w,
            s or Ctrl with the wheel to zoom, 0 for all, double click for one span, n for the next match.
            {mode === "schedule" &&
              " Numbers are micro-batches; cells that are cut at the top belong to every other model chunk."}
            {timeline.classes.some((one) => one.executed) &&
              " Measured streams lie under those of the forecast."}
          </>
        }
        actions={
          <button class="small" onClick={savePicture} title="save what is seen as SVG">
            SVG
          </button>
        }
      >
        <div class="controls">
          {staged && (
            <Choice
              label="rows"
              value={mode}
              options={[
                ["streams", "streams of rank classes"],
                ["schedule", "pipeline schedule"],
              ]}
              onChange={setMode}
            />
          )}
          <label class="choice">
            <span>find</span>
            <input
              type="search"
              data-search
              value={text}
              placeholder="kernel, collective, message"
              onInput={(e) => setText(e.currentTarget.value)}
              onKeyDown={(e) => e.key === "Enter" && next()}
              aria-label="find spans"
            />
          </label>
          {wanted && (
            <>
              <output class="note" data-testid="hits">
                {hits.toLocaleString("en")} spans
              </output>
              <button onClick={next} disabled={hits === 0}>
                next
              </button>
            </>
          )}
          <label class="choice">
            <input type="checkbox" checked={arrows} onChange={(e) => setArrows(e.currentTarget.checked)} />{" "}
            messages
          </label>
          <label class="choice">
            <input
              type="checkbox"
              checked={critical}
              onChange={(e) => setCritical(e.currentTarget.checked)}
            />{" "}
            <Term of="critical path" />
          </label>
          <span>
            <button onClick={() => zoom(0.5)} aria-label="zoom in">
              +
            </button>{" "}
            <button onClick={() => zoom(2)} aria-label="zoom out">
              −
            </button>{" "}
            <button onClick={() => show(0, timeline.end)}>all</button>
          </span>
        </div>
        <div class="legend">
          {kindOrder
            .filter((kind) => timeline.kinds.includes(kind))
            .map((kind) => (
              <span key={kind}>
                <i class="swatch" style={{ background: colourOf(kind) }} />
                {labelOfKind(kind)}
              </span>
            ))}
        </div>
        <div
          ref={box}
          class="canvas-box"
          style={{ height: `${height}px`, overflowY: "auto" }}
          onScroll={(e) => setScroll(e.currentTarget.scrollTop)}
        >
          <canvas
            ref={canvas}
            tabIndex={0}
            onKeyDown={onKey}
            aria-label="timeline of the step"
            style={{ height: `${height}px`, position: "sticky", top: 0 }}
            onPointerDown={(e) => {
              drag.current = { x: e.offsetX, window, moved: false };
              e.currentTarget.setPointerCapture(e.pointerId);
            }}
            onPointerMove={(e) => {
              const from = drag.current;
              if (!from || Math.abs(e.offsetX - from.x) < 4) return;
              from.moved = true;
              const by =
                ((from.x - e.offsetX) / (e.currentTarget.clientWidth - labelWidth)) *
                (from.window.to - from.window.from);
              show(from.window.from + by, from.window.to + by);
            }}
            onPointerUp={(e) => {
              if (drag.current && !drag.current.moved) setSelection(pick(e));
              drag.current = null;
            }}
            onDblClick={(e) => {
              const hit = pick(e);
              if (!hit) return;
              const s = rows[hit.row]!.spans;
              const margin = (s.end[hit.index]! - s.begin[hit.index]!) * 0.1;
              show(s.begin[hit.index]! - margin, s.end[hit.index]! + margin);
            }}
          />
          <div style={{ height: `${Math.max(0, axisHeight + rowsHeight - height)}px` }} />
        </div>
        {topology && <LinkStrip topology={topology} window={window} end={timeline.end} />}
        <div class="details">
          {selection && rows[selection.row] ? (
            <Details timeline={timeline} row={rows[selection.row]!} index={selection.index} />
          ) : (
            <p class="note">Click a span to see what it is.</p>
          )}
        </div>
      </Panel>
    </div>
  );
}

/** The picture on the canvas as SVG: a million spans would be no use as shapes. */
function svgOf(canvas: HTMLCanvasElement): string {
  const { clientWidth: w, clientHeight: h } = canvas;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}"><image width="${w}" height="${h}" href="${canvas.toDataURL("image/png")}"/></svg>`;
}
