/** Colours that stay apart for colour-blind readers (after Okabe and Ito, 2008), by what time is
 * spent on. The same kind has the same colour in every picture. */
import { signal } from "./ui/signal";

type Pair = [light: string, dark: string];

const kinds: Record<string, Pair> = {
  forward: ["#0072b2", "#4da3da"],
  backward: ["#009e73", "#2fbf93"],
  recompute: ["#56b4e9", "#8ccdf2"],
  compute: ["#0072b2", "#4da3da"],
  optimizer: ["#7a7a2a", "#b5b552"],
  tensor: ["#e69f00", "#f0b52e"],
  context: ["#cc79a7", "#dd95bd"],
  expert: ["#8f4fa8", "#b684cb"],
  data: ["#d55e00", "#f0803a"],
  parameter: ["#a6761d", "#cf9f4a"],
  pipeline: ["#882255", "#c75f92"],
  bubble: ["#b9bec7", "#545b66"],
  host: ["#7d8590", "#8d96a0"],
  allocator: ["#b00020", "#ff6b7d"],
  slowed: ["#5b4b8a", "#9b8ac9"],
  wait: ["#d4d8de", "#3c434d"],
  communication: ["#e69f00", "#f0b52e"],
  other: ["#9aa1ab", "#6e7681"],
};

/** For series that are no kinds of time. */
const series: Pair[] = [
  ["#0072b2", "#4da3da"],
  ["#d55e00", "#f0803a"],
  ["#009e73", "#2fbf93"],
  ["#cc79a7", "#dd95bd"],
  ["#e69f00", "#f0b52e"],
  ["#56b4e9", "#8ccdf2"],
  ["#8f4fa8", "#b684cb"],
  ["#7a7a2a", "#b5b552"],
];

/** The kind of a key of the breakdown: "exposed_tensor_s" is "tensor". */
export function kindOf(key: string): string {
  return key.replace(/^exposed_/, "").replace(/_s$/, "");
}

export type Theme = "light" | "dark";

export const theme = signal<Theme>("light");

const side = (pair: Pair): string => pair[theme.value === "dark" ? 1 : 0];

export const colourOf = (kind: string): string => side(kinds[kind] ?? kinds.other!);
export const seriesColour = (index: number): string => side(series[index % series.length]!);

/** Load of a link from 0 to 1: light to dark, readable without colour. */
export function loadColour(share: number): string {
  const x = Math.max(0, Math.min(1, share));
  const from = theme.value === "dark" ? [60, 70, 84] : [205, 214, 226];
  const to = theme.value === "dark" ? [255, 150, 70] : [190, 60, 0];
  const mixed = from.map((f, i) => Math.round(f + (to[i]! - f) * Math.sqrt(x)));
  return `rgb(${mixed.join(",")})`;
}

/** Black or white, whatever is read better on a colour. */
export function inkOn(colour: string): string {
  const [r, g, b] = colour.startsWith("#")
    ? [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16))
    : colour.match(/\d+/g)!.map(Number);
  return r! * 0.299 + g! * 0.587 + b! * 0.114 > 140 ? "#14181d" : "#ffffff";
}

export interface Inks {
  text: string;
  faint: string;
  line: string;
  surface: string;
}

export const inks = (): Inks =>
  theme.value === "dark"
    ? { text: "#e6edf3", faint: "#9aa4b0", line: "#30363d", surface: "#161b22" }
    : { text: "#1f2328", faint: "#59636e", line: "#d8dee4", surface: "#ffffff" };
