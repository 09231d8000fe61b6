import type { EChartsOption } from "echarts";
import { useMemo } from "preact/hooks";
import { find, type Document } from "../data/documents";
import { count, percent, seconds, signedPercent, words } from "../format";
import { colourOf, inks, seriesColour } from "../palette";
import { axis, Chart, legend, lines } from "../ui/chart";
import { useHash } from "../ui/hash";
import { Choice, Figure, Panel } from "../ui/panel";
import { DataTable } from "../ui/table";

interface Figures {
  scored: number;
  mape: number | null;
  median_ape: number | null;
  p90_ape: number | null;
  bias: number | null;
  interval_coverage: number | null;
}

interface Result {
  id: string;
  measured: number;
  predicted: number;
  p10: number;
  p90: number;
  classes: Record<string, string>;
  trust?: string;
  inferred?: string[];
}

/** "foreshard.score.v1" of `validate --json`. */
export interface Score extends Document, Figures {
  table: string;
  rows: number;
  unexpressed: { id: string; reason: string }[];
  memory_mape: number | null;
  oom_accuracy: number | null;
  plan_regret: number | null;
  concordance: number | null;
  by: Record<string, Record<string, Figures>>;
  results: Result[];
}

const errorOf = (row: Result): number => row.predicted / row.measured - 1;

/** Regimes in the order of their size; those beyond the colours are one. */
function regimes(rows: Result[], by: string): Map<string, Result[]> {
  const groups = new Map<string, Result[]>();
  for (const row of rows) {
    const name = row.classes[by] ?? "does not count";
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name)!.push(row);
  }
  const sorted = [...groups].sort((a, b) => b[1].length - a[1].length);
  const rest = sorted.slice(7);
  return new Map(
    rest.length > 1 ? [...sorted.slice(0, 7), [`${rest.length} others`, rest.flatMap(([, r]) => r)]] : sorted,
  );
}

function Scatter({ score, by, onPick }: { score: Score; by: string; onPick: (id: string) => void }) {
  const groups = useMemo(() => regimes(score.results, by), [score, by]);
  const values = score.results.flatMap((row) => [row.measured, row.predicted]).filter((v) => v > 0);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const diagonal = (factor: number, type: string) => ({
    type: "line",
    silent: true,
    showSymbol: false,
    data: [
      [low, low * factor],
      [high, high * factor],
    ],
    lineStyle: { color: inks().faint, width: 1, type },
    tooltip: { show: false },
  });
  return (
    <Chart
      name="predicted against measured"
      height={480}
      inputs={[score, by]}
      summary={`${score.results.length} rows, mean error ${percent(score.mape ?? 0)}`}
      onClick={(click) => {
        const id = (click.data as { id?: string } | null)?.id;
        if (id) onPick(id);
      }}
      option={(): EChartsOption => ({
        grid: { left: 70, right: 20, top: 60, bottom: 46 },
        legend: legend({ top: 0, type: "scroll" }),
        tooltip: {
          formatter: (p) => {
            const row = (p as unknown as { data: { row: Result } }).data.row;
            return lines(row.id, [
              ...Object.entries(row.classes).filter(([k]) => !/source|,/.test(k)),
              ["measured", seconds(row.measured)],
              ["predicted", `${seconds(row.predicted)} (${signedPercent(errorOf(row))})`],
              ["p10 to p90", `${seconds(row.p10)} to ${seconds(row.p90)}`],
            ]);
          },
        },
        xAxis: axis("log", {
          name: "measured",
          nameLocation: "middle",
          nameGap: 28,
          min: low / 1.3,
          max: high * 1.3,
          axisLabel: { formatter: (v: number) => seconds(v) },
        }),
        yAxis: axis("log", {
          name: "predicted",
          min: low / 1.3,
          max: high * 1.3,
          axisLabel: { formatter: (v: number) => seconds(v) },
        }),
        series: [
          ...[...groups].map(([name, rows], i) => ({
            type: "scatter" as const,
            name,
            symbolSize: 6,
            symbol: ["circle", "rect", "triangle", "diamond", "roundRect", "pin", "arrow", "circle"][i % 8],
            itemStyle: { color: seriesColour(i), opacity: 0.7 },
            data: rows.map((row) => ({ value: [row.measured, row.predicted], id: row.id, row })),
          })),
          diagonal(1, "solid"),
          diagonal(1.1, "dashed"),
          diagonal(1 / 1.1, "dashed"),
        ] as EChartsOption["series"],
      })}
    />
  );
}

function Bias({ score, by }: { score: Score; by: string }) {
  const rows = Object.entries(score.by[by] ?? {})
    .filter(([, f]) => f.scored > 0)
    .sort((a, b) => a[1].scored - b[1].scored)
    .slice(-25);
  return (
    <Chart
      name={`bias by ${by}`}
      height={60 + rows.length * 22}
      inputs={[score, by]}
      summary={rows.map(([n, f]) => `${n} ${percent(f.bias ?? 0)}`).join(", ")}
      option={(): EChartsOption => ({
        grid: { left: 190, right: 30, top: 8, bottom: 30 },
        tooltip: {
          formatter: (p) => {
            const one = p as { name: string; value: number; dataIndex: number };
            const f = rows[one.dataIndex]![1];
            return lines(one.name, [
              ["bias", signedPercent(f.bias ?? 0)],
              ["MAPE", percent(f.mape ?? 0)],
              ["rows", count(f.scored)],
            ]);
          },
        },
        xAxis: axis("value", { axisLabel: { formatter: (v: number) => signedPercent(v, 0) } }),
        yAxis: axis("category", {
          data: rows.map(([name]) => name),
          axisLabel: { color: inks().text, width: 175, overflow: "truncate" },
        }),
        series: [
          {
            type: "bar",
            barMaxWidth: 14,
            data: rows.map(([, f]) => ({
              value: f.bias ?? 0,
              itemStyle: { color: (f.bias ?? 0) < 0 ? seriesColour(0) : seriesColour(1) },
            })),
          },
        ],
      })}
    />
  );
}

export function ScoreView({ documents }: { documents: Document[] }) {
  const score = find<Score>(documents, "foreshard.score.v1")!;
  const kinds = Object.keys(score.by);
  const [by, setBy] = useHash("by", kinds.includes("framework") ? "framework" : (kinds[0] ?? ""));
  const [id, setId] = useHash("row", "");
  const worst = useMemo(
    () => [...score.results].sort((a, b) => Math.abs(errorOf(b)) - Math.abs(errorOf(a))),
    [score],
  );
  const row = score.results.find((one) => one.id === id);
  const p = (v: number | null) => (v === null ? "–" : percent(v));
  return (
    <div class="view">
      <Panel
        wide
        title={`Score against ${score.table}`}
        note={`${count(score.scored)} of ${count(score.rows)} rows scored; errors are predicted / measured − 1.`}
      >
        <dl class="figures" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(150px, 1fr))" }}>
          <Figure label="MAPE" value={p(score.mape)} id="mape" />
          <Figure label="median APE" value={p(score.median_ape)} />
          <Figure label="p90 APE" value={p(score.p90_ape)} />
          <Figure label="bias" value={score.bias === null ? "–" : signedPercent(score.bias)} id="bias" />
          <Figure label="coverage" value={p(score.interval_coverage)} />
          {score.memory_mape !== null && <Figure label="memory MAPE" value={p(score.memory_mape)} />}
          {score.oom_accuracy !== null && <Figure label="fits, rightly" value={p(score.oom_accuracy)} />}
          {score.plan_regret !== null && <Figure label="plan regret" value={p(score.plan_regret)} />}
          {score.concordance !== null && <Figure label="concordance" value={p(score.concordance)} />}
        </dl>
      </Panel>
      <Panel
        title="Predicted against measured"
        note="Solid: equal; dashed: 10 % apart. Click a point to see its row."
        actions={
          kinds.length > 0 && (
            <Choice label="regime" value={by} options={kinds.map((k) => [k, k])} onChange={setBy} />
          )
        }
      >
        <Scatter score={score} by={by} onPick={setId} />
        {row && (
          <p data-testid="row">
            <b>{row.id}</b>: measured {seconds(row.measured)}, predicted {seconds(row.predicted)} (
            {signedPercent(errorOf(row))}), p10 {seconds(row.p10)} to p90 {seconds(row.p90)}.{" "}
            {Object.entries(row.classes)
              .map(([k, v]) => `${k} ${v}`)
              .join("; ")}
            {row.inferred && row.inferred.length > 0 && `; inferred: ${row.inferred.join(", ")}`}
          </p>
        )}
      </Panel>
      <Panel title={`Bias by ${by}`}>
        <Bias score={score} by={by} />
      </Panel>
      <Panel wide title={`By ${by}`}>
        <DataTable
          name={`score by ${by}`}
          search
          rows={Object.entries(score.by[by] ?? {})}
          sort={{ id: "rows", desc: true }}
          columns={[
            { title: by, value: ([name]) => name },
            { title: "rows", value: ([, f]) => f.scored, text: count },
            { title: "MAPE", value: ([, f]) => f.mape ?? undefined, text: (v) => percent(v) },
            { title: "median APE", value: ([, f]) => f.median_ape ?? undefined, text: (v) => percent(v) },
            { title: "p90 APE", value: ([, f]) => f.p90_ape ?? undefined, text: (v) => percent(v) },
            { title: "bias", value: ([, f]) => f.bias ?? undefined, text: (v) => signedPercent(v) },
            {
              title: "coverage",
              value: ([, f]) => f.interval_coverage ?? undefined,
              text: (v) => percent(v),
            },
          ]}
        />
      </Panel>
      <Panel wide title="Rows, furthest off first">
        <DataTable
          name="rows"
          search
          rows={worst}
          onRow={(r) => setId(r.id)}
          chosen={(r) => r.id === id}
          columns={[
            { title: "row", value: (r) => r.id },
            { title: "error", value: errorOf, text: (v) => signedPercent(v) },
            { title: "measured", value: (r) => r.measured, text: (v) => seconds(v) },
            { title: "predicted", value: (r) => r.predicted, text: (v) => seconds(v) },
            {
              title: "inside interval",
              value: (r) => (r.measured >= r.p10 && r.measured <= r.p90 ? "yes" : "no"),
              show: (r) =>
                r.measured >= r.p10 && r.measured <= r.p90 ? (
                  "yes"
                ) : (
                  <span style={{ color: colourOf("data") }}>no</span>
                ),
            },
            { title: by, value: (r) => r.classes[by] ?? "–" },
            { title: "inferred", value: (r) => (r.inferred ?? []).join(", ") },
          ]}
        />
      </Panel>
      {score.unexpressed.length > 0 && (
        <Panel wide title="Rows that could not be forecast">
          <DataTable
            name="unexpressed"
            search
            rows={score.unexpressed}
            columns={[
              { title: "row", value: (r) => r.id },
              { title: "reason", value: (r) => words(r.reason) },
            ]}
          />
        </Panel>
      )}
    </div>
  );
}
