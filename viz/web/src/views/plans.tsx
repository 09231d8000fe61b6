import type { EChartsOption } from "echarts";
import { useMemo } from "preact/hooks";
import type { Comparison, Plan } from "../data/comparison";
import { find, type Document } from "../data/documents";
import {
  bytes,
  count,
  digits,
  gibibyte,
  gibibytes,
  percent,
  seconds,
  signedPercent,
  signedSeconds,
} from "../format";
import { colourOf, inks, kindOf, seriesColour } from "../palette";
import { axis, Chart, legend, lines } from "../ui/chart";
import { useHash } from "../ui/hash";
import { Choice, Panel, Term } from "../ui/panel";
import { DataTable, type Column } from "../ui/table";
import { labelOf } from "../labels";
import { SearchPanel } from "./search";

const shownSideBySide = 3;

/** As in the text: nothing is certain. */
const probability = (p: number): string => (p > 0.99 ? "> 99 %" : percent(p, 0));

function Pareto({
  comparison,
  chosen,
  onPick,
}: {
  comparison: Comparison;
  chosen: Set<string>;
  onPick: (name: string) => void;
}) {
  const priced = comparison.plans.some((plan) => plan.cost_per_1e12_tokens !== null);
  const [against, setAgainst] = useHash("against", "memory");
  const value = (plan: Plan): number =>
    against === "cost"
      ? (plan.cost_per_1e12_tokens ?? NaN)
      : against === "gpus"
        ? plan.gpus
        : plan.memory.peak_bytes / gibibyte;
  const text = (v: number): string =>
    against === "memory"
      ? gibibytes(v)
      : against === "cost"
        ? `${digits(v)} ${comparison.currency ?? ""}`
        : count(v);
  const groups: [string, (plan: Plan) => boolean, string, string][] = [
    ["on the Pareto front", (plan) => plan.pareto && plan.memory.fits, "circle", seriesColour(0)],
    ["beaten by another", (plan) => !plan.pareto && plan.memory.fits, "circle", colourOf("other")],
    ["does not fit", (plan) => !plan.memory.fits, "triangle", colourOf("data")],
  ];
  return (
    <Panel
      title={<>Step time against {against === "memory" ? "memory" : against}</>}
      note={
        <>
          The <Term of="Pareto front" /> is blue. Click a point to put its plan beside others.
        </>
      }
      actions={
        <Choice
          label="against"
          value={against}
          options={[
            ["memory", "peak memory"],
            ["gpus", "GPUs"],
            ...(priced ? [["cost", "cost of 1e12 tokens"] as [string, string]] : []),
          ]}
          onChange={setAgainst}
        />
      }
    >
      <Chart
        name="plans"
        height={360}
        inputs={[comparison, against, [...chosen].join()]}
        summary={`${comparison.plans.length} plans`}
        onClick={(click) => {
          const name = (click.data as { name?: string } | null)?.name;
          if (name) onPick(name);
        }}
        option={(): EChartsOption => ({
          grid: { left: 86, right: 24, top: 40, bottom: 46 },
          legend: legend({ top: 0 }),
          tooltip: {
            formatter: (p) => {
              const plan = (p as unknown as { data: { plan: Plan } }).data.plan;
              return lines(plan.name, [
                ["step", seconds(plan.step_time_s)],
                ["p10 to p90", `${seconds(plan.step_time_p10_s)} to ${seconds(plan.step_time_p90_s)}`],
                ["memory", bytes(plan.memory.peak_bytes)],
                ["GPUs", count(plan.gpus)],
              ]);
            },
          },
          xAxis: axis("value", {
            scale: true,
            name: "step time",
            nameLocation: "middle",
            nameGap: 28,
            axisLabel: { formatter: (v: number) => seconds(v) },
          }),
          yAxis: axis("value", { scale: true, axisLabel: { formatter: text } }),
          series: groups.map(([name, belongs, symbol, colour]) => ({
            type: "scatter",
            name,
            symbol,
            itemStyle: { color: colour },
            data: comparison.plans.filter(belongs).map((plan) => ({
              name: plan.name,
              plan,
              value: [plan.step_time_s, value(plan)],
              symbolSize: chosen.has(plan.name) ? 17 : 10,
              itemStyle: chosen.has(plan.name) ? { borderColor: inks().text, borderWidth: 2 } : {},
            })),
          })) as EChartsOption["series"],
        })}
      />
    </Panel>
  );
}

function SideBySide({ plans }: { plans: Plan[] }) {
  const keys = [...new Set(plans.flatMap((plan) => Object.keys(plan.breakdown)))].filter((key) =>
    plans.some((plan) => (plan.breakdown[key] ?? 0) > plan.step_time_s * 5e-4),
  );
  const first = plans[0]!;
  return (
    <Panel
      title="Side by side"
      note="Parts of the step of an average rank. Choose plans in the table or the picture."
    >
      <Chart
        name="breakdown of plans"
        height={90 + 44 * plans.length}
        inputs={[plans]}
        summary={plans.map((plan) => `${plan.name} ${seconds(plan.step_time_s)}`).join(", ")}
        option={(): EChartsOption => ({
          grid: { left: 150, right: 70, top: 48, bottom: 26 },
          legend: legend({ top: 0, type: "scroll" }),
          tooltip: {
            formatter: (p) => {
              const one = p as { seriesName: string; name: string; value: number };
              return lines(`${one.name}: ${one.seriesName}`, [["time", seconds(one.value)]]);
            },
          },
          xAxis: axis("value", { axisLabel: { formatter: (v: number) => seconds(v) } }),
          yAxis: axis("category", {
            inverse: true,
            data: plans.map((plan) => plan.name),
            axisLabel: { color: inks().text, width: 135, overflow: "truncate" },
          }),
          series: keys.map((key) => ({
            type: "bar",
            stack: "step",
            name: labelOf(key),
            barMaxWidth: 26,
            itemStyle: { color: colourOf(kindOf(key)) },
            data: plans.map((plan) => plan.breakdown[key] ?? 0),
          })),
        })}
      />
      {plans.slice(1).map((plan) => (
        <p key={plan.name}>
          <b>{plan.name}</b> against {first.name}: {signedSeconds(plan.step_time_s - first.step_time_s)}:{" "}
          {keys
            .map((key) => [key, (plan.breakdown[key] ?? 0) - (first.breakdown[key] ?? 0)] as const)
            .filter(([, d]) => Math.abs(d) > first.step_time_s * 5e-4)
            .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))
            .slice(0, 5)
            .map(([key, d]) => `${signedSeconds(d)} ${labelOf(key)}`)
            .join(", ") || "nothing that matters"}
        </p>
      ))}
    </Panel>
  );
}

export function PlansView({ documents }: { documents: Document[] }) {
  const comparison = find<Comparison>(documents, "foreshard.comparison.v1")!;
  const [picked, setPicked] = useHash("plans", "");
  const names =
    picked === ""
      ? comparison.plans.slice(0, Math.min(2, comparison.plans.length)).map((plan) => plan.name)
      : picked.split("\n");
  const chosen = new Set(names);
  const plans = useMemo(
    () =>
      names
        .map((name) => comparison.plans.find((plan) => plan.name === name))
        .filter((plan) => plan !== undefined),
    [comparison, picked],
  );
  const pick = (name: string) => {
    const next = chosen.has(name)
      ? names.filter((one) => one !== name)
      : [...names, name].slice(-shownSideBySide);
    setPicked(next.join("\n"));
  };
  const first = comparison.plans[0];
  const second = comparison.plans[1];
  const columns: Column<Plan>[] = [
    { title: "plan", value: (r) => r.name },
    { title: "step", term: "step time", value: (r) => r.step_time_s, text: (v) => seconds(v) },
    { title: "p10", term: "interval", value: (r) => r.step_time_p10_s, text: (v) => seconds(v) },
    { title: "p90", term: "interval", value: (r) => r.step_time_p90_s, text: (v) => seconds(v) },
    {
      title: "slower by",
      value: (r) => r.step_time_s / (first?.step_time_s ?? 1) - 1,
      text: (v) => signedPercent(v),
    },
    {
      title: "first is quicker",
      value: (r) => (r === first ? undefined : r.first_is_quicker),
      text: probability,
    },
    { title: "tokens/s", value: (r) => r.tokens_per_s, text: count },
    { title: "MFU", value: (r) => r.mfu, text: (v) => percent(v) },
    { title: "memory", term: "peak", value: (r) => r.memory.peak_bytes, text: (v) => bytes(v) },
    {
      title: "fits",
      value: (r) => (r.memory.fits ? "yes" : "no"),
      show: (r) => (r.memory.fits ? "yes" : <span class="bad">no</span>),
    },
    { title: "GPUs", value: (r) => r.gpus, text: count },
    ...(comparison.plans.some((plan) => plan.cost_per_1e12_tokens !== null)
      ? [
          {
            title: `${comparison.currency ?? "cost"} for 1e12 tokens`,
            value: (r: Plan) => r.cost_per_1e12_tokens ?? undefined,
            text: (v: number) => count(Math.round(v)),
          },
        ]
      : []),
    { title: "Pareto", term: "Pareto front", value: (r) => (r.pareto ? "yes" : "") },
    {
      title: "why slower",
      value: (r) => (r === first ? "" : r.more_than_first.sentence),
      show: (r) => <span class="line">{r === first ? "" : r.more_than_first.sentence}</span>,
    },
  ];
  return (
    <div class="view">
      <Panel wide title={`${comparison.scenario}: ${count(comparison.plans.length)} plans`}>
        {first && (
          <p class="why" data-testid="winner">
            {first.memory.fits ? (
              <>
                Quickest: <b>{first.name}</b> with {seconds(first.step_time_s)} a step
              </>
            ) : (
              "No plan fits"
            )}
            {first.memory.fits && second?.memory.fits && (
              <>
                , quicker than <b>{second.name}</b> ({seconds(second.step_time_s)}) with{" "}
                {probability(second.first_is_quicker)} probability
              </>
            )}
            .
          </p>
        )}
        <dl class="facts">
          <dt>model</dt>
          <dd>{comparison.model}</dd>
          <dt>cluster</dt>
          <dd>{comparison.cluster}</dd>
        </dl>
        <DataTable
          name="plans"
          search
          rows={comparison.plans}
          onRow={(r) => pick(r.name)}
          chosen={(r) => chosen.has(r.name)}
          columns={columns}
        />
      </Panel>
      <Pareto comparison={comparison} chosen={chosen} onPick={pick} />
      {plans.length > 0 && <SideBySide plans={plans} />}
      {comparison.search && <SearchPanel search={comparison.search} />}
      {comparison.refused.length > 0 && (
        <Panel wide title={`${count(comparison.refused.length)} combinations that are no plan`}>
          <DataTable
            name="refused"
            search
            rows={comparison.refused}
            columns={[
              { title: "combination", value: (r) => r.name },
              {
                title: "why not",
                value: (r) => r.reasons.map((d) => `${d.message}${d.hint ? ` (${d.hint})` : ""}`).join("; "),
              },
            ]}
          />
        </Panel>
      )}
    </div>
  );
}
