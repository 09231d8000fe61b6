import type { EChartsOption } from "echarts";
import type { Round, Search } from "../data/comparison";
import { count, digits, percent, seconds } from "../format";
import { inks, seriesColour } from "../palette";
import { axis, Chart, legend, lines } from "../ui/chart";
import { Panel, Term } from "../ui/panel";
import { DataTable } from "../ui/table";

/** How the best plan and what no plan undercuts came together. */
function Rounds({ rounds }: { rounds: Round[] }) {
  const series: [string, (round: Round) => number | null, string][] = [
    ["best so far", (round) => round.best_s, seriesColour(0)],
    ["no plan takes less", (round) => round.bound_s, seriesColour(1)],
  ];
  return (
    <>
      {rounds.length > 1 && (
        <Chart
          name="rounds of the search"
          height={240}
          inputs={[rounds]}
          summary={rounds
            .map((r, i) => `round ${i + 1}: best ${seconds(r.best_s ?? NaN)}, bound ${seconds(r.bound_s ?? NaN)}`)
            .join("; ")}
          option={(): EChartsOption => ({
            grid: { left: 86, right: 24, top: 36, bottom: 30 },
            legend: legend({ top: 0 }),
            tooltip: {
              formatter: (p) => {
                const i = (p as { dataIndex: number }).dataIndex;
                const round = rounds[i]!;
                return lines(`round ${i + 1}`, [
                  ["best so far", seconds(round.best_s ?? NaN)],
                  ["no plan takes less", seconds(round.bound_s ?? NaN)],
                  ["gap", percent(round.gap ?? NaN)],
                ]);
              },
            },
            xAxis: axis("category", {
              data: rounds.map((_, i) => `round ${i + 1}`),
              axisLabel: { color: inks().text },
            }),
            yAxis: axis("value", { scale: true, axisLabel: { formatter: (v: number) => seconds(v) } }),
            series: series.map(([name, value, colour]) => ({
              type: "line",
              name,
              symbolSize: 8,
              itemStyle: { color: colour },
              lineStyle: { color: colour, width: 2 },
              data: rounds.map(value),
            })) as EChartsOption["series"],
          })}
        />
      )}
      <DataTable
        name="rounds"
        rows={rounds.map((round, i) => ({ ...round, number: i + 1 }))}
        columns={[
          { title: "round", value: (r) => r.number, text: count, width: "4em" },
          {
            title: "network slower by",
            value: (r) => r.slowdown,
            text: (v) => `${digits(v)} ×`,
          },
          { title: "refused", value: (r) => r.refused, text: count },
          { title: "too large", value: (r) => r.too_large, text: count },
          { title: "cannot be best", value: (r) => r.cannot_be_best, text: count },
          { title: "not reached", value: (r) => r.undecided, text: count },
          { title: "estimated", value: (r) => r.estimated, text: count },
          { title: "simulated so far", value: (r) => r.simulated, text: count },
          { title: "best so far", value: (r) => r.best_s ?? undefined, text: (v) => seconds(v) },
          { title: "no plan takes less", value: (r) => r.bound_s ?? undefined, text: (v) => seconds(v) },
          { title: "gap", value: (r) => r.gap ?? undefined, text: (v) => percent(v) },
        ]}
      />
    </>
  );
}

export function SearchPanel({ search }: { search: Search }) {
  const rows: { what: string; plans: number }[] = [
    { what: "refused: no plan for this scenario", plans: search.refused },
    { what: "too large: memory for sure above the GPU's", plans: search.too_large },
    { what: "cannot be best: no less time than one that was found", plans: search.cannot_be_best },
    { what: "undecided when the search was stopped", plans: search.undecided },
    { what: "estimated", plans: search.estimated },
    { what: "of these, too large after all", plans: search.too_large_after_all },
    { what: "of these, simulated", plans: search.simulated },
    { what: "of these, fit but not simulated", plans: search.not_simulated },
  ];
  return (
    <Panel wide title={`Search of ${count(search.plans)} plans`}>
      <p class="why">{search.verdict}</p>
      <dl class="facts">
        <dt>no plan takes less than</dt>
        <dd>
          {seconds(search.bound_s)} (
          {search.proven ? "proven" : `the first is at most ${percent(search.gap)} above`})
        </dd>
        {Object.entries(search.axes).map(([key, values]) => (
          <>
            <dt>{key}</dt>
            <dd>{values.join(", ")}</dd>
          </>
        ))}
      </dl>
      <DataTable
        name="what became of plans"
        rows={rows}
        columns={[
          { title: "what became of them", value: (r) => r.what },
          { title: "plans", value: (r) => r.plans, text: count, width: "8em" },
          {
            title: "share",
            value: (r) => r.plans / search.plans,
            text: (v) => percent(v),
            width: "7em",
          },
        ]}
      />
      {search.rounds && search.rounds.length > 0 && (
        <>
          <h3>Round by round</h3>
          <p class="note">
            Each round goes through the space with collectives between nodes as slow as <Term of="contention" /> made
            them so far, then simulates the two best.
          </p>
          <Rounds rounds={search.rounds} />
        </>
      )}
    </Panel>
  );
}
