import type { EChartsOption } from "echarts";
import { find, type Document } from "../data/documents";
import { partsOf, type Diagnostic, type Report } from "../data/report";
import {
  byteRate,
  bytes,
  count,
  digits,
  percent,
  seconds,
  signedPercent,
  words,
} from "../format";
import { labelOf } from "../labels";
import { colourOf, inks, kindOf } from "../palette";
import { axis, Chart, lines } from "../ui/chart";
import { Figure, Panel, Term } from "../ui/panel";
import { DataTable } from "../ui/table";
import { AliveTree, MemoryChart } from "./step_memory";
import { CriticalPath, WhatIf } from "./step_remedies";

/** The interval as a bar: p10 to p90 around the step, with the bound and what was measured. */
function Interval({ report }: { report: Report }) {
  const marks = [
    report.step_time_p10_s,
    report.step_time_p90_s,
    report.lower_bound_s,
    report.step_time_s,
    report.measured?.step_time_s ?? report.step_time_s,
  ];
  const low = Math.min(...marks);
  const high = Math.max(...marks);
  const pad = (high - low || high) * 0.12;
  const x = (s: number) => `${((s - low + pad) / (high - low + 2 * pad)) * 100}%`;
  const width = `${((report.step_time_p90_s - report.step_time_p10_s) / (high - low + 2 * pad)) * 100}%`;
  return (
    <svg
      class="interval"
      height="58"
      role="img"
      aria-label={`p10 ${seconds(report.step_time_p10_s)}, p90 ${seconds(report.step_time_p90_s)}`}
    >
      <line x1="0" x2="100%" y1="28" y2="28" class="rule" />
      <rect x={x(report.step_time_p10_s)} width={width} y="20" height="16" rx="3" class="range" />
      <line x1={x(report.step_time_s)} x2={x(report.step_time_s)} y1="14" y2="42" class="now" />
      <line x1={x(report.lower_bound_s)} x2={x(report.lower_bound_s)} y1="18" y2="38" class="bound" />
      <text x={x(report.step_time_p10_s)} y="54" text-anchor="middle">
        p10 {seconds(report.step_time_p10_s)}
      </text>
      <text x={x(report.step_time_p90_s)} y="54" text-anchor="middle">
        p90 {seconds(report.step_time_p90_s)}
      </text>
      {report.measured && (
        <>
          <line
            x1={x(report.measured.step_time_s)}
            x2={x(report.measured.step_time_s)}
            y1="8"
            y2="42"
            class="measured"
          />
          <text x={x(report.measured.step_time_s)} y="9" text-anchor="middle">
            measured
          </text>
        </>
      )}
    </svg>
  );
}

function Headline({ report }: { report: Report }) {
  return (
    <Panel wide title={report.scenario || "Step"}>
      <div class="headline">
        <div>
          <div class="big">
            <span data-testid="step-time">{seconds(report.step_time_s)}</span>{" "}
            <Term of="step time">a step</Term>
          </div>
          <Interval report={report} />
          <p class="note">
            <Term of="interval">80 % interval</Term>; dashed: <Term of="lower bound">lower bound</Term>{" "}
            {seconds(report.lower_bound_s)} without contention
            {report.measured && (
              <>
                ; measured {seconds(report.measured.step_time_s)} ({report.measured.source}): forecast{" "}
                {signedPercent(report.measured.error)}
              </>
            )}
          </p>
        </div>
        <dl class="figures">
          <Figure
            label="tokens/s"
            value={count(report.tokens_per_s)}
            more={`${count(report.tokens_per_s_per_gpu)} per GPU`}
            id="tokens"
          />
          <Figure
            label="MFU"
            value={percent(report.mfu)}
            more={`${digits(report.model_tflops_per_gpu)} TFLOP/s per GPU`}
            id="mfu"
          />
          <Figure label="HFU" value={percent(report.hfu)} />
          <Figure
            label="peak"
            value={bytes(report.memory.peak_bytes)}
            id="peak"
            more={`${report.memory.fits ? "fits" : "does not fit"} in ${bytes(report.memory.capacity_bytes)}`}
          />
        </dl>
      </div>
      <dl class="facts">
        <dt>model</dt>
        <dd>{report.model}</dd>
        <dt>cluster</dt>
        <dd>{report.cluster}</dd>
        <dt>
          <Term of="plan">plan</Term>
        </dt>
        <dd>{report.plan}</dd>
        <dt>simulated</dt>
        <dd>
          {count(report.ranks)} ranks
          {report.ranks_played > 0 ? ` (${count(report.ranks_played)} different)` : ""}, {report.fidelity}
        </dd>
      </dl>
      {!report.memory.fits && (
        <p class="bad">
          Does not fit: rank {report.memory.worst_rank} needs {bytes(report.memory.peak_bytes)} of{" "}
          {bytes(report.memory.capacity_bytes)}. {report.memory.advice}
        </p>
      )}
    </Panel>
  );
}

interface Part {
  key: string;
  seconds: number;
}

export function BreakdownChart({ report, height }: { report: Report; height: number }) {
  const parts = partsOf(report)
    .filter(([, s]) => s > report.step_time_s * 5e-4)
    .reverse();
  return (
    <Chart
      name={`where the time goes ${report.scenario}`}
      height={height}
      inputs={[report]}
      summary={parts.map(([k, s]) => `${labelOf(k)} ${seconds(s)}`).join(", ")}
      option={(): EChartsOption => ({
        grid: { left: 165, right: 110, top: 4, bottom: 24 },
        tooltip: {
          trigger: "item",
          formatter: (p) => {
            const one = p as { name: string; value: number };
            return lines(one.name, [
              ["time", seconds(one.value)],
              ["share", percent(one.value / report.step_time_s)],
            ]);
          },
        },
        xAxis: axis("value", { splitNumber: 4, axisLabel: { formatter: (v: number) => seconds(v) } }),
        yAxis: axis("category", {
          data: parts.map(([key]) => labelOf(key)),
          axisLabel: { color: inks().text },
        }),
        series: [
          {
            type: "bar",
            barMaxWidth: 22,
            data: parts.map(([key, s]) => ({ value: s, itemStyle: { color: colourOf(kindOf(key)) } })),
            label: {
              show: true,
              position: "right",
              color: inks().text,
              formatter: (p) =>
                `${seconds(p.value as number)}  ${percent((p.value as number) / report.step_time_s)}`,
            },
          },
        ],
      })}
    />
  );
}

export function Diagnostics({ list }: { list: Diagnostic[] }) {
  if (list.length === 0) return null;
  return (
    <Panel wide title="Warnings and notes">
      <ul class="diagnostics">
        {list.map((d, i) => (
          <li key={i} class={d.severity}>
            <b>{d.severity}</b> {d.message}
            {d.hint && <em> {d.hint}</em>}
            {d.file && (
              <code>
                {d.file}
                {d.line > 0 ? `:${d.line}:${d.column}` : ""}
              </code>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function StepView({ documents }: { documents: Document[] }) {
  const report = find<Report>(documents, "foreshard.report.v1")!;
  const parts: Part[] = partsOf(report).map(([key, s]) => ({ key, seconds: s }));
  return (
    <div class="view">
      <Headline report={report} />
      <div class="stack">
        <Panel title="Why it takes that long">
          <p class="why" data-testid="bottleneck">
            {report.bottleneck || "Nothing stands out."}
          </p>
          {report.binding_link && <p class="why">{report.binding_link}</p>}
          <BreakdownChart
            report={report}
            height={40 + 28 * parts.filter((p) => p.seconds > report.step_time_s * 5e-4).length}
          />
          <DataTable
            name="breakdown"
            rows={parts.filter((p) => p.seconds > 0)}
            columns={[
              {
                title: "part",
                value: (r) => labelOf(r.key),
                show: (r) => (
                  <>
                    <i class="swatch" style={{ background: colourOf(kindOf(r.key)) }} />
                    <Term of={words(r.key)}>{labelOf(r.key)}</Term>
                  </>
                ),
              },
              { title: "time", value: (r) => r.seconds, text: (v) => seconds(v), width: "7em" },
              {
                title: "share",
                value: (r) => r.seconds / report.step_time_s,
                text: (v) => percent(v, 2),
                width: "7em",
              },
            ]}
          />
        </Panel>
        <Panel
          title={`Memory of rank ${report.memory.worst_rank}, the fullest, over the step`}
          note={`Fullest at ${report.memory.moment.task || "all times"} (${percent(report.memory.moment.share)} of the step).`}
        >
          <MemoryChart memory={report.memory} />
          <DataTable
            name="memory of stages"
            rows={report.memory.stages}
            columns={[
              { title: "rank class", value: (r) => r.name },
              { title: "rank", value: (r) => r.rank, text: count },
              { title: "in tensors", value: (r) => r.allocated_bytes, text: (v) => bytes(v) },
              { title: "reserved", value: (r) => r.reserved_bytes, text: (v) => bytes(v) },
              { title: "on the GPU", value: (r) => r.device_bytes, text: (v) => bytes(v) },
            ]}
          />
        </Panel>
      </div>
      <div class="stack">
        <WhatIf report={report} />
        <CriticalPath report={report} />
        <Panel
          title="Busiest links"
          note="Those that held transfers up longest, then the busiest; equal ones are folded."
        >
          <DataTable
            name="links"
            rows={report.links}
            columns={[
              { title: "link", value: (r) => r.name, show: (r) => <span class="breaks">{r.name}</span> },
              { title: "alike", value: (r) => r.alike, text: count, width: "4em" },
              { title: "bytes", value: (r) => r.bytes, text: (v) => bytes(v), width: "6em" },
              { title: "rate", value: (r) => r.rate_bytes_per_s, text: (v) => byteRate(v), width: "6em" },
              { title: "use", value: (r) => r.utilisation, text: (v) => percent(v), width: "5em" },
              { title: "busy", value: (r) => r.busy, text: (v) => percent(v), width: "5em" },
              { title: "lost", value: (r) => r.lost_s, text: (v) => seconds(v), width: "6em" },
            ]}
          />
        </Panel>
        <Panel title="What is alive at the peak">
          <AliveTree memory={report.memory} />
        </Panel>
      </div>
      <Panel wide title="What the durations rest on">
        <DataTable
          name="sources"
          rows={report.sources}
          columns={[
            { title: "source", value: (r) => r.name },
            { title: "share", value: (r) => r.share, text: (v) => percent(v), width: "7em" },
            { title: "spread", value: (r) => r.spread, text: (v) => `± ${percent(v)}`, width: "7em" },
          ]}
        />
      </Panel>
      <Diagnostics list={report.diagnostics} />
    </div>
  );
}
