import { firstAfter, piecesOf, titleOf, type Timeline } from "../data/timeline";
import { nanoseconds } from "../format";
import { colourOf, inkOn, inks } from "../palette";
import { clear } from "../ui/canvas";
import type { Row } from "./timeline_rows";

export interface Window {
  from: number;
  to: number;
}

export interface Scene {
  timeline: Timeline;
  rows: Row[];
  window: Window;
  scroll: number;
  /** which of timeline.names are looked for; null: no search */
  wanted: Uint8Array | null;
  selected: { row: number; index: number } | null;
  messages: boolean;
  /** whether spans of the critical path are marked */
  path: boolean;
}

export const labelWidth = 230;
export const axisHeight = 24;

/** Round times at a distance of about a hundred pixels. */
function ticks(window: Window, width: number): number[] {
  const rough = ((window.to - window.from) * 110) / width;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough)!;
  const out = [];
  for (let t = Math.ceil(window.from / step) * step; t <= window.to; t += step) out.push(t);
  return out;
}

export function paint(canvas: HTMLCanvasElement, scene: Scene): void {
  const { context, width, height } = clear(canvas);
  const ink = inks();
  const { window } = scene;
  const scale = (width - labelWidth) / (window.to - window.from);
  const x = (t: number): number => labelWidth + (t - window.from) * scale;

  context.save();
  context.beginPath();
  context.rect(labelWidth, 0, width - labelWidth, height);
  context.clip();
  context.strokeStyle = ink.line;
  for (const t of ticks(window, width - labelWidth)) {
    context.beginPath();
    context.moveTo(Math.round(x(t)) + 0.5, axisHeight - 4);
    context.lineTo(Math.round(x(t)) + 0.5, height);
    context.stroke();
    context.fillStyle = ink.faint;
    context.fillText(nanoseconds(t), x(t) + 3, axisHeight / 2);
  }
  context.restore();

  context.save();
  context.beginPath();
  context.rect(0, axisHeight, width, height - axisHeight);
  context.clip();
  for (const row of scene.rows) {
    const top = axisHeight + row.top - scene.scroll;
    if (top + row.height < axisHeight || top > height) continue;
    context.fillStyle = ink.text;
    context.save();
    context.beginPath();
    context.rect(0, top, labelWidth - 6, row.height);
    context.clip();
    context.fillText(row.label, 6, top + row.height / 2);
    context.restore();
    context.save();
    context.beginPath();
    context.rect(labelWidth, top, width - labelWidth, row.height);
    context.clip();
    paintRow(context, scene, row, top, x, scale);
    context.restore();
  }
  if (scene.messages) paintMessages(context, scene, x, height);
  context.restore();
  context.strokeStyle = ink.line;
  context.strokeRect(labelWidth + 0.5, -1, 0, height + 2);
}

function paintRow(
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: Row,
  top: number,
  x: (t: number) => number,
  scale: number,
): void {
  const { timeline, window, wanted } = scene;
  const s = row.spans;
  const withPieces = row.height > 30 && !row.cells;
  const height = withPieces ? 18 : row.height;
  const selected = scene.selected && scene.rows[scene.selected.row] === row ? scene.selected.index : -1;
  for (let i = firstAfter(s, window.from); i < s.count && s.begin[i]! < window.to;) {
    const left = x(s.begin[i]!);
    const wide = (s.end[i]! - s.begin[i]!) * scale;
    const kind = timeline.kinds[s.kinds[i]!]!;
    const colour = colourOf(kind);
    context.globalAlpha = wanted && !wanted[s.names[i]!] ? 0.18 : 1;
    context.fillStyle = colour;
    context.fillRect(left, top, Math.max(wide - (wide > 4 ? 0.7 : 0), 0.8), height);
    if (row.cells && s.chunks[i]! % 2 === 1) {
      // chunks of one device are told apart
      context.fillStyle = inks().surface;
      context.fillRect(left, top, Math.max(wide - 0.7, 0.8), 5);
    }
    if (scene.path && s.critical[i]) {
      context.fillStyle = inks().text;
      context.fillRect(left, top + height - 3, Math.max(wide, 1), 3);
    }
    if (row.cells ? wide > 9 : wide > 34) {
      context.fillStyle = inkOn(colour);
      const text = row.cells
        ? s.microBatches[i]! >= 0
          ? String(s.microBatches[i])
          : timeline.names[s.names[i]!]!
        : titleOf(timeline, s, i);
      context.save();
      context.beginPath();
      context.rect(left, top, wide - 2, height);
      context.clip();
      const room = context.measureText(text).width < wide - 4;
      if (!row.cells || room)
        context.fillText(
          text,
          row.cells ? left + (wide - context.measureText(text).width) / 2 : Math.max(left, labelWidth) + 4,
          top + height / 2,
        );
      context.restore();
    }
    if (i === selected) {
      context.strokeStyle = inks().text;
      context.lineWidth = 2;
      context.strokeRect(left + 1, top + 1, Math.max(wide - 2, 1), height - 2);
      context.lineWidth = 1;
    }
    if (withPieces && wide > 12) paintPieces(context, scene, row, i, top + 19, row.height - 19, x, scale);
    context.globalAlpha = 1;
    // Spans thinner than a pixel: go on with the one that reaches into the next.
    i = wide < 0.7 ? Math.max(i + 1, firstAfter(s, s.begin[i]! + 0.7 / scale)) : i + 1;
  }
}

function paintPieces(
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: Row,
  index: number,
  top: number,
  height: number,
  x: (t: number) => number,
  scale: number,
): void {
  let drawn = -Infinity;
  for (const piece of piecesOf(row.of, row.spans, index)) {
    if (piece.end < scene.window.from || piece.begin > scene.window.to) continue;
    const left = x(piece.begin);
    const wide = (piece.end - piece.begin) * scale;
    if (left + wide - drawn < 0.7) continue;
    drawn = left + wide;
    const colour = colourOf(scene.timeline.kinds[piece.kind]!);
    context.globalAlpha = scene.wanted && !scene.wanted[piece.name] ? 0.18 : 1;
    context.fillStyle = colour;
    context.fillRect(left, top, Math.max(wide - (wide > 4 ? 0.7 : 0), 0.6), height);
    if (wide > 40) {
      context.fillStyle = inkOn(colour);
      context.save();
      context.beginPath();
      context.rect(left, top, wide - 2, height);
      context.clip();
      context.fillText(scene.timeline.names[piece.name]!, Math.max(left, labelWidth) + 4, top + height / 2);
      context.restore();
    }
  }
}

const messagesMax = 3000;

function paintMessages(
  context: CanvasRenderingContext2D,
  scene: Scene,
  x: (t: number) => number,
  height: number,
): void {
  const { from, to, begin_ns, end_ns } = scene.timeline.messages;
  const middle = new Map<string, number>();
  for (const row of scene.rows) {
    const key = row.cells ? ["send", "receive"] : [row.spans.name];
    for (const stream of key)
      middle.set(`${row.class}:${stream}`, axisHeight + row.top - scene.scroll + row.height / 2);
  }
  context.strokeStyle = inks().text;
  context.globalAlpha = 0.45;
  let drawn = 0;
  for (let i = 0; i < from.length && drawn < messagesMax; ++i) {
    if (end_ns[i]! < scene.window.from || begin_ns[i]! > scene.window.to) continue;
    const y0 = middle.get(`${from[i]}:send`);
    const y1 = middle.get(`${to[i]}:receive`);
    if (y0 === undefined || y1 === undefined || (y0 < 0 && y1 < 0) || (y0 > height && y1 > height)) continue;
    const x0 = Math.max(x(begin_ns[i]!), labelWidth);
    const x1 = Math.max(x(end_ns[i]!), labelWidth);
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    const angle = Math.atan2(y1 - y0, x1 - x0);
    for (const side of [-0.4, 0.4]) {
      context.moveTo(x1, y1);
      context.lineTo(x1 - 6 * Math.cos(angle + side), y1 - 6 * Math.sin(angle + side));
    }
    context.stroke();
    ++drawn;
  }
  context.globalAlpha = 1;
}
