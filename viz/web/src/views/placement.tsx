import type { EChartsOption } from "echarts";
import { find, type Document } from "../data/documents";
import { count, percent, seconds, signedPercent } from "../format";
import { colourOf, inks, seriesColour } from "../palette";
import { axis, Chart } from "../ui/chart";
import { Figure, Panel } from "../ui/panel";
import { DataTable } from "../ui/table";

interface Placed {
  name: string;
  nodes?: string[];
  model_step_time_s?: number;
  step_time_s?: number;
}

interface Evaluation extends Document {
  scenario: string;
  ranks_per_node: number;
  placements: Placed[];
  random?: { count: number; p25_s: number; p50_s: number; p75_s: number };
  changes: { kind: string; nodes: string[]; saved_s: number }[];
}

interface Assignment extends Document {
  scenario: string;
  nodes: string[];
  spares: string[];
  step_time_s: number;
  simulated: boolean;
  model: { step_time_s: number; bound_s: number; gap: number; proven: boolean };
  in_cluster_order: { nodes: string[]; step_time_s: number };
  how: string;
}

const stepOf = (placed: Placed): number => placed.step_time_s ?? placed.model_step_time_s ?? NaN;

function EvaluationPanels({ evaluation }: { evaluation: Evaluation }) {
  const rows = evaluation.placements.filter((one) => one.nodes).reverse();
  const given = evaluation.placements[0]!;
  return (
    <>
      <Panel
        title={`${evaluation.scenario}: placements`}
        note={
          evaluation.random &&
          `${evaluation.random.count} random placements: median ${seconds(evaluation.random.p50_s)}, the middle half ${seconds(evaluation.random.p25_s)} to ${seconds(evaluation.random.p75_s)}.`
        }
      >
        <Chart
          name="placements"
          height={50 + rows.length * 30}
          inputs={[evaluation]}
          summary={rows.map((r) => `${r.name} ${seconds(stepOf(r))}`).join(", ")}
          option={(): EChartsOption => ({
            grid: { left: 210, right: 90, top: 6, bottom: 26 },
            tooltip: { valueFormatter: (v) => seconds(Number(v)) },
            xAxis: axis("value", { splitNumber: 4, axisLabel: { formatter: (v: number) => seconds(v) } }),
            yAxis: axis("category", {
              data: rows.map((r) => r.name),
              axisLabel: { color: inks().text, width: 195, overflow: "truncate" },
            }),
            series: [
              {
                type: "bar",
                barMaxWidth: 20,
                label: {
                  show: true,
                  position: "right",
                  color: inks().text,
                  formatter: (p) => seconds(Number(p.value)),
                },
                data: rows.map((r) => ({
                  value: stepOf(r),
                  itemStyle: { color: r === given ? colourOf("data") : seriesColour(0) },
                })),
              },
            ],
          })}
        />
      </Panel>
      <Panel title="Against this placement">
        <DataTable
          name="placements"
          rows={evaluation.placements}
          columns={[
            { title: "placement", value: (r) => r.name },
            { title: "simulated", value: (r) => r.step_time_s, text: (v) => seconds(v) },
            { title: "model", value: (r) => r.model_step_time_s, text: (v) => seconds(v) },
            {
              title: "against it",
              value: (r) => (r.nodes ? stepOf(r) / stepOf(given) - 1 : undefined),
              text: (v) => signedPercent(v),
            },
            {
              title: "nodes",
              value: (r) => (r.nodes ?? ["finds none"]).join(" "),
              show: (r) => (
                <span class="line" style={{ maxWidth: "13em" }}>
                  {(r.nodes ?? ["finds none"]).join(" ")}
                </span>
              ),
            },
          ]}
        />
        {evaluation.changes.length > 0 && (
          <DataTable
            name="changes"
            rows={evaluation.changes}
            columns={[
              { title: "change", value: (r) => `${r.kind} ${r.nodes.join(" and ")}` },
              { title: "saves", value: (r) => r.saved_s, text: (v) => seconds(v) },
            ]}
          />
        )}
      </Panel>
    </>
  );
}

function AssignmentPanel({ answer }: { answer: Assignment }) {
  return (
    <Panel wide title={`${answer.scenario}: where to put it`} note={answer.how}>
      <dl class="figures" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(170px, 1fr))" }}>
        <Figure
          label="step time"
          value={seconds(answer.step_time_s)}
          more={answer.simulated ? "simulated" : "by the model"}
          id="step-time"
        />
        <Figure
          label="nodes in cluster order"
          value={seconds(answer.in_cluster_order.step_time_s)}
          more={signedPercent(answer.in_cluster_order.step_time_s / answer.step_time_s - 1)}
        />
        <Figure
          label="bound of the model"
          value={seconds(answer.model.bound_s)}
          more={answer.model.proven ? "none is better" : `gap ${percent(answer.model.gap)}`}
        />
        <Figure
          label="nodes"
          value={count(answer.nodes.length)}
          more={answer.spares.length > 0 ? `${answer.spares.length} spares` : ""}
        />
      </dl>
      <DataTable
        name="nodes"
        search={answer.nodes.length > 20}
        rows={[...answer.nodes, ...answer.spares].map((node, i) => ({ node, i }))}
        columns={[
          { title: "slot", value: (r) => r.i, text: (v) => (v < answer.nodes.length ? count(v) : "spare") },
          { title: "node", value: (r) => r.node },
        ]}
      />
    </Panel>
  );
}

export function PlacementView({ documents }: { documents: Document[] }) {
  const evaluation = find<Evaluation>(documents, "foreshard.placement_evaluation.v1");
  const answer = find<Assignment>(documents, "foreshard.placement.v1");
  return (
    <div class="view">
      {evaluation && <EvaluationPanels evaluation={evaluation} />}
      {answer && <AssignmentPanel answer={answer} />}
    </div>
  );
}
