import type { EChartsOption } from "echarts";
import { useMemo } from "preact/hooks";
import { all, find, type Document } from "../data/documents";
import { bytes, count, digits, percent, seconds, signedPercent, withUnit, words } from "../format";
import { inks, seriesColour } from "../palette";
import { axis, Chart, legend, lines } from "../ui/chart";
import { useHash } from "../ui/hash";
import { Choice, Figure, Panel, Term } from "../ui/panel";
import { DataTable } from "../ui/table";
import { ExecutedStep } from "./executed_step";

/** Points of one sweep with what a line or a simulation says of them. */
interface Curve {
  name: string;
  unit: "bytes" | "flop";
  x: number[];
  measured: number[];
  other?: number[];
  otherName: string;
  facts: [string, string][];
}

interface Fit {
  name: string;
  rows: number;
  residual_spread?: number;
  left_out_spread?: number;
  formula_spread?: number;
  held_out?: { fitted_median_error: number; interpolated_median_error: number } | null;
  held_out_median_error?: number | null;
  between_sizes?: string;
  ranges?: { from_bytes: number; to_bytes: number; alpha_us: number; bandwidth_gb_s: number | null }[];
  points: { bytes?: number[]; flop?: number[]; measured_s: number[]; line_s?: number[] };
}

interface FitReport extends Document {
  collectives: Fit[];
  products: Fit[];
  memory: Fit[];
}

interface Replay extends Document {
  sweeps: {
    name: string;
    machine: string;
    largest_difference: number;
    rows: { bytes: number; measured_s: number; simulated_s: number }[];
  }[];
  left_out: { name: string; reason: string }[];
}

interface Summary extends Document {
  file: string;
  runs: Record<string, unknown>[];
  collectives: Record<string, unknown>[];
  kernels: Record<string, unknown>[];
  fits: { kind: string; key: string; points: number; residual: number; held_out: number | null }[];
}

const size = (curve: Curve, v: number): string => (curve.unit === "bytes" ? bytes(v) : `${count(v)}FLOP`);

function fitCurves(report: FitReport): { curve: Curve; fit: Fit }[] {
  return [...report.collectives, ...report.products, ...report.memory].map((fit) => {
    const facts: [string, string][] = [["rows", count(fit.rows)]];
    if (fit.residual_spread !== undefined) facts.push(["residual", percent(fit.residual_spread)]);
    if (fit.formula_spread !== undefined) facts.push(["formula", `± ${percent(fit.formula_spread)}`]);
    if (fit.left_out_spread !== undefined)
      facts.push(["each from the others", `± ${percent(fit.left_out_spread)}`]);
    if (fit.held_out)
      facts.push([
        "held out",
        `${percent(fit.held_out.fitted_median_error)} fitted, ${percent(fit.held_out.interpolated_median_error)} interpolated`,
      ]);
    if (fit.held_out_median_error) facts.push(["held out", percent(fit.held_out_median_error)]);
    return {
      fit,
      curve: {
        name: fit.name,
        unit: fit.points.bytes ? "bytes" : "flop",
        x: fit.points.bytes ?? fit.points.flop!,
        measured: fit.points.measured_s,
        other: fit.points.line_s,
        otherName: "fit",
        facts,
      },
    };
  });
}

function Curves({ curve }: { curve: Curve }) {
  const points = curve.x.map((x, i) => [x, curve.measured[i]!]);
  const order = [...curve.x.keys()].sort((a, b) => curve.x[a]! - curve.x[b]!);
  return (
    <Chart
      name={curve.name}
      height={330}
      inputs={[curve]}
      summary={`${points.length} measured sizes`}
      option={(): EChartsOption => ({
        grid: { left: 80, right: 24, top: 36, bottom: 46 },
        legend: legend({ top: 0 }),
        tooltip: {
          formatter: (p) => {
            const one = p as unknown as { seriesName: string; value: [number, number] };
            return lines(size(curve, one.value[0]), [[one.seriesName, seconds(one.value[1])]]);
          },
        },
        xAxis: axis("log", {
          logBase: curve.unit === "bytes" ? 4 : 10,
          name: curve.unit === "bytes" ? "size" : "work",
          nameLocation: "middle",
          nameGap: 28,
          min: "dataMin",
          max: "dataMax",
          axisLabel: { formatter: (v: number) => size(curve, v) },
        }),
        yAxis: axis("log", { name: "time", axisLabel: { formatter: (v: number) => seconds(v) } }),
        series: [
          {
            type: "scatter",
            name: "measured",
            symbolSize: 8,
            itemStyle: { color: seriesColour(0) },
            data: points,
          },
          ...(curve.other
            ? [
                {
                  type: "line" as const,
                  name: curve.otherName,
                  showSymbol: false,
                  lineStyle: { color: seriesColour(1), width: 2 },
                  itemStyle: { color: seriesColour(1) },
                  data: order.map((i) => [curve.x[i]!, curve.other![i]!]),
                },
              ]
            : []),
        ],
      })}
    />
  );
}

function Residuals({ curve }: { curve: Curve }) {
  if (!curve.other)
    return <p class="note">The formula of these shapes has no line to draw; its spread is above.</p>;
  const data = curve.x.map((x, i) => [x, curve.other![i]! / curve.measured[i]! - 1]);
  return (
    <Chart
      name={`${curve.otherName} over measured, ${curve.name}`}
      height={220}
      inputs={[curve]}
      summary="relative difference by size"
      option={(): EChartsOption => ({
        grid: { left: 80, right: 24, top: 16, bottom: 46 },
        tooltip: {
          formatter: (p) => {
            const [x, y] = (p as unknown as { value: [number, number] }).value;
            return lines(size(curve, x), [[`${curve.otherName} − measured`, signedPercent(y)]]);
          },
        },
        xAxis: axis("log", {
          logBase: curve.unit === "bytes" ? 4 : 10,
          name: "size",
          nameLocation: "middle",
          nameGap: 28,
          min: "dataMin",
          max: "dataMax",
          axisLabel: { formatter: (v: number) => size(curve, v) },
          axisLine: { onZero: false },
        }),
        yAxis: axis("value", {
          min: (v: { min: number }) => Math.min(v.min, -0.01),
          max: (v: { max: number }) => Math.max(v.max, 0.01),
          axisLabel: {
            formatter: (v: number) => signedPercent(v),
            showMinLabel: false,
            showMaxLabel: false,
          },
        }),
        series: [
          {
            type: "scatter",
            symbolSize: 7,
            itemStyle: { color: seriesColour(1) },
            data,
            markLine: {
              symbol: "none",
              silent: true,
              data: [{ yAxis: 0 }],
              label: { show: false },
              lineStyle: { color: inks().faint },
            },
          },
        ],
      })}
    />
  );
}

function Chosen({
  hash,
  title,
  curves,
}: {
  hash: string;
  title: string;
  curves: { curve: Curve; fit?: Fit }[];
}) {
  const [index, setIndex] = useHash(hash, "0");
  const one = curves[Number(index)] ?? curves[0];
  if (!one) return null;
  const { curve, fit } = one;
  return (
    <>
      <Panel
        title={title}
        actions={
          <Choice
            label="of"
            value={index}
            options={curves.map((c, i) => [String(i), c.curve.name])}
            onChange={setIndex}
          />
        }
      >
        <dl class="facts">
          {curve.facts.map(([k, v]) => (
            <>
              <dt>
                <Term of={k} />
              </dt>
              <dd>{v}</dd>
            </>
          ))}
        </dl>
        <Curves curve={curve} />
      </Panel>
      <Panel title={`${curve.otherName} against measured`}>
        <Residuals curve={curve} />
        {fit?.ranges && (
          <DataTable
            name="ranges of the fit"
            rows={fit.ranges}
            columns={[
              { title: "from", value: (r) => r.from_bytes, text: (v) => bytes(v) },
              { title: "to", value: (r) => r.to_bytes, text: (v) => bytes(v) },
              { title: "latency", value: (r) => r.alpha_us * 1e-6, text: (v) => seconds(v) },
              {
                title: "bus bandwidth",
                value: (r) => r.bandwidth_gb_s ?? undefined,
                text: (v) => `${digits(v)} GB/s`,
              },
            ]}
          />
        )}
      </Panel>
    </>
  );
}

/** Rows of an answer whose keys are not known beforehand. */
export function Rows({ name, rows }: { name: string; rows: Record<string, unknown>[] }) {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))]
    .filter((key) => rows.some((row) => row[key] !== null && typeof row[key] !== "object" && row[key] !== ""))
    .slice(0, 14);
  const numeric = (key: string) =>
    rows.every((row) => row[key] === undefined || row[key] === null || typeof row[key] === "number");
  return (
    <DataTable
      name={name}
      search={rows.length > 10}
      rows={rows}
      columns={keys.map((key) => ({
        title: words(key),
        value: (row: Record<string, unknown>) => {
          const v = row[key];
          return typeof v === "number" ? v : v === null || v === undefined ? undefined : String(v);
        },
        ...(numeric(key) ? { text: (v: number) => withUnit(key, v) } : {}),
      }))}
    />
  );
}

export function CalibrationView({ documents }: { documents: Document[] }) {
  const fits = find<FitReport>(documents, "foreshard.fit.v1");
  const summary = find<Summary>(documents, "foreshard.calibration_summary.v1");
  const replays = all<Replay>(documents, "foreshard.replay.v1");
  const fitted = useMemo(() => (fits ? fitCurves(fits) : []), [fits]);
  const played = useMemo(
    () =>
      replays.flatMap((replay) =>
        replay.sweeps.map((sweep) => ({
          curve: {
            name: sweep.name,
            unit: "bytes" as const,
            x: sweep.rows.map((r) => r.bytes),
            measured: sweep.rows.map((r) => r.measured_s),
            other: sweep.rows.map((r) => r.simulated_s),
            otherName: "simulated",
            facts: [
              ["machine", sweep.machine],
              ["largest difference", percent(sweep.largest_difference)],
            ] as [string, string][],
          },
        })),
      ),
    [documents],
  );
  const step = find(documents, "foreshard.step.v1");
  return (
    <div class="view">
      {step && <ExecutedStep document={step} />}
      {summary && (
        <Panel wide title={`Calibration ${summary.file}`}>
          <dl class="figures" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(150px, 1fr))" }}>
            <Figure label="runs" value={count(summary.runs.length)} id="runs" />
            <Figure label="collectives" value={count(summary.collectives.length)} />
            <Figure label="kernels" value={count(summary.kernels.length)} />
            <Figure label="fits" value={count(summary.fits.length)} />
          </dl>
        </Panel>
      )}
      <Chosen hash="fit" title="Measured, and the fit" curves={fitted} />
      <Chosen hash="sweep" title="Measured, and simulated" curves={played} />
      {replays.map((replay, i) => (
        <Panel key={i} wide title="Replay: measured sweeps played in the simulator">
          <DataTable
            name="replay"
            rows={replay.sweeps}
            columns={[
              { title: "sweep", value: (r) => r.name },
              { title: "machine", value: (r) => r.machine },
              { title: "sizes", value: (r) => r.rows.length, text: count },
              { title: "largest difference", value: (r) => r.largest_difference, text: (v) => percent(v) },
            ]}
          />
          {replay.left_out.length > 0 && (
            <DataTable
              name="left out"
              rows={replay.left_out}
              columns={[
                { title: "left out", value: (r) => r.name },
                { title: "reason", value: (r) => r.reason },
              ]}
            />
          )}
        </Panel>
      ))}
      {summary && (
        <Panel wide title="Runs">
          <Rows name="runs" rows={summary.runs} />
        </Panel>
      )}
      {summary && summary.collectives.length > 0 && (
        <Panel wide title="Collectives measured">
          <Rows name="collectives measured" rows={summary.collectives} />
        </Panel>
      )}
      {summary && summary.kernels.length > 0 && (
        <Panel wide title="Kernels measured">
          <Rows name="kernels measured" rows={summary.kernels} />
        </Panel>
      )}
    </div>
  );
}
