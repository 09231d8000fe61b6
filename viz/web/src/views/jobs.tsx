import type { EChartsOption } from "echarts";
import { find, type Document } from "../data/documents";
import type { Report } from "../data/report";
import { byteRate, count, percent, seconds } from "../format";
import { seriesColour } from "../palette";
import { axis, Chart, legend } from "../ui/chart";
import { useHash } from "../ui/hash";
import { pairedBars } from "../ui/paired_bars";
import { Choice, Panel } from "../ui/panel";
import { DataTable } from "../ui/table";
import { Rows } from "./calibration";
import { BreakdownChart } from "./step";

interface Jobs extends Document {
  scenario: string;
  cluster: string;
  jobs: Report[];
  contention: {
    jobs: {
      name: string;
      gpus: number;
      steps_played: number;
      alone_step_time_s: number;
      step_time_s: number;
      slowdown: number;
    }[];
    links: { name: string; rate_bytes_per_s: number; together: number; busy: number; alike: number }[];
    links_met: number;
  };
}

interface Queue extends Document {
  scenario: string;
  cluster: string;
  runs: ({
    policy: string;
    jobs: Record<string, unknown>[];
    samples: { time_s: number; running: number; waiting: number; free_gpus: number }[];
  } & Record<string, unknown>)[];
}

function Contention({ answer }: { answer: Jobs }) {
  const rows = [...answer.contention.jobs].reverse();
  return (
    <>
      <Panel title={`${answer.scenario}: what jobs cost each other`} note={answer.cluster}>
        <Chart
          name="jobs"
          height={80 + rows.length * 44}
          inputs={[answer]}
          summary={rows.map((r) => `${r.name} slowed ${r.slowdown.toFixed(2)}`).join(", ")}
          option={() =>
            pairedBars(
              rows.map((r) => r.name),
              [
                { name: "beside the others", values: rows.map((r) => r.step_time_s) },
                { name: "alone", values: rows.map((r) => r.alone_step_time_s) },
              ],
              { left: 120, right: 80, shared: false },
            )
          }
        />
        <DataTable
          name="jobs"
          rows={answer.contention.jobs}
          columns={[
            { title: "job", value: (r) => r.name },
            { title: "GPUs", value: (r) => r.gpus, text: count },
            { title: "alone", value: (r) => r.alone_step_time_s, text: (v) => seconds(v) },
            { title: "beside the others", value: (r) => r.step_time_s, text: (v) => seconds(v) },
            { title: "slower by", value: (r) => r.slowdown - 1, text: (v) => percent(v) },
          ]}
        />
      </Panel>
      <Panel
        title="Links on which they meet"
        note={`${count(answer.contention.links_met)} links that several jobs use and that may bind.`}
      >
        <DataTable
          name="contended links"
          rows={answer.contention.links}
          columns={[
            { title: "link", value: (r) => r.name },
            { title: "alike", value: (r) => r.alike, text: count },
            { title: "rate", value: (r) => r.rate_bytes_per_s, text: (v) => byteRate(v) },
            { title: "both send", value: (r) => r.together, text: (v) => percent(v) },
            { title: "busy", value: (r) => r.busy, text: (v) => percent(v) },
          ]}
        />
      </Panel>
      {answer.jobs.map((report) => (
        <Panel
          key={report.scenario}
          title={`${report.scenario}: ${seconds(report.step_time_s)} a step`}
          note={report.plan}
        >
          <p class="why">{report.bottleneck}</p>
          <BreakdownChart report={report} height={280} />
        </Panel>
      ))}
    </>
  );
}

function Queued({ answer }: { answer: Queue }) {
  const [chosen, choose] = useHash("policy", answer.runs[0]?.policy ?? "");
  const run = answer.runs.find((one) => one.policy === chosen) ?? answer.runs[0]!;
  return (
    <>
      <Panel wide title={`${answer.scenario}: policies`} note={answer.cluster}>
        <Rows name="policies" rows={answer.runs} />
      </Panel>
      <Panel
        wide
        title={`Over time under ${run.policy}`}
        actions={
          <Choice
            label="policy"
            value={run.policy}
            options={answer.runs.map((r) => [r.policy, r.policy])}
            onChange={choose}
          />
        }
      >
        <Chart
          name={`queue under ${run.policy}`}
          height={260}
          inputs={[run]}
          summary={`${run.samples.length} samples`}
          option={(): EChartsOption => ({
            grid: { left: 60, right: 60, top: 36, bottom: 30 },
            legend: legend({ top: 0 }),
            tooltip: { trigger: "axis" },
            xAxis: axis("value", { axisLabel: { formatter: (v: number) => seconds(v) }, max: "dataMax" }),
            yAxis: [
              axis("value", { name: "jobs" }),
              axis("value", { name: "free GPUs", splitLine: { show: false } }),
            ] as EChartsOption["yAxis"],
            series: [
              {
                type: "line",
                step: "end",
                name: "running",
                showSymbol: false,
                itemStyle: { color: seriesColour(0) },
                data: run.samples.map((s) => [s.time_s, s.running]),
              },
              {
                type: "line",
                step: "end",
                name: "waiting",
                showSymbol: false,
                itemStyle: { color: seriesColour(1) },
                data: run.samples.map((s) => [s.time_s, s.waiting]),
              },
              {
                type: "line",
                step: "end",
                name: "free GPUs",
                yAxisIndex: 1,
                showSymbol: false,
                lineStyle: { type: "dashed" },
                itemStyle: { color: seriesColour(2) },
                data: run.samples.map((s) => [s.time_s, s.free_gpus]),
              },
            ],
          })}
        />
        <Rows name={`jobs under ${run.policy}`} rows={run.jobs} />
      </Panel>
    </>
  );
}

export function JobsView({ documents }: { documents: Document[] }) {
  const jobs = find<Jobs>(documents, "foreshard.jobs.v1");
  const queue = find<Queue>(documents, "foreshard.queue.v1");
  return (
    <div class="view">
      {jobs && <Contention answer={jobs} />}
      {queue && <Queued answer={queue} />}
    </div>
  );
}
