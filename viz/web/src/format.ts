/** Numbers as people read them: three digits and a unit, as in the text report. */

export function digits(value: number, count = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const places = Math.max(0, count - 1 - Math.floor(Math.log10(size) + 1e-9));
  return value.toFixed(Math.min(places, 9));
}

function scaled(value: number, steps: [number, string][]): string {
  const size = Math.abs(value);
  for (const [scale, unit] of steps) if (size >= scale * 0.99995) return `${digits(value / scale)} ${unit}`;
  const [scale, unit] = steps[steps.length - 1]!;
  return `${digits(value / scale)} ${unit}`;
}

const timeSteps: [number, string][] = [
  [1, "s"],
  [1e-3, "ms"],
  [1e-6, "µs"],
  [1e-9, "ns"],
];
const byteSteps: [number, string][] = [
  [2 ** 40, "TiB"],
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
  [1, "B"],
];
const countSteps: [number, string][] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
  [1, ""],
];

export const seconds = (s: number): string => (s === 0 ? "0 s" : scaled(s, timeSteps));
export const nanoseconds = (ns: number): string => seconds(ns * 1e-9);
export const bytes = (b: number): string => (b === 0 ? "0 B" : scaled(b, byteSteps));
/** Axes of memory count in these, so that their marks are round. */
export const gibibyte = 2 ** 30;
export const gibibytes = (gib: number): string => `${Number(gib.toPrecision(4))} GiB`;

export const count = (n: number): string =>
  Math.abs(n) < 1e4 ? digitsOfCount(n) : scaled(n, countSteps).trimEnd();
export const percent = (share: number, places = 1): string => `${(share * 100).toFixed(places)} %`;
export const signedPercent = (share: number, places = 1): string =>
  (share > 0 ? "+" : share < 0 ? "−" : "") + percent(Math.abs(share), places);
export const byteRate = (bytesPerSecond: number): string =>
  `${scaled(bytesPerSecond, [
    [1e12, "TB/s"],
    [1e9, "GB/s"],
    [1e6, "MB/s"],
    [1e3, "kB/s"],
    [1, "B/s"],
  ])}`;
export const bitRate = (bitsPerSecond: number): string =>
  `${scaled(bitsPerSecond, [
    [1e12, "Tbit/s"],
    [1e9, "Gbit/s"],
    [1e6, "Mbit/s"],
    [1, "bit/s"],
  ])}`;
export const signedSeconds = (s: number): string => (s > 0 ? "+" : s < 0 ? "−" : "") + seconds(Math.abs(s));

function digitsOfCount(n: number): string {
  return Number.isInteger(n) ? n.toLocaleString("en") : digits(n);
}

/** "exposed_tensor_s" as the word people use for it. */
export function words(key: string): string {
  return key.replace(/_(s|bytes|bit_s|bytes_per_s)$/, "").replaceAll("_", " ");
}

/** A value under the key of an answer, with the unit that the end of the key names. */
export function withUnit(key: string, value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (/_bytes_per_s$/.test(key)) return byteRate(value);
  if (/_bit_s$/.test(key)) return bitRate(value);
  if (/(_s|_s_)$/.test(key) && !/_per_s$/.test(key)) return seconds(value);
  if (/bytes$/.test(key)) return bytes(value);
  if (
    /(share|mape|ape|bias|coverage|error|mfu|hfu|drift|fragmentation|utilisation|regret|concordance|accuracy|spread)$/.test(
      key,
    )
  )
    return percent(value);
  return count(value);
}
