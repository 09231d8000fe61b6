import type { Document } from "../data/documents";
import { percent, seconds, signedPercent } from "../format";
import { Chart } from "../ui/chart";
import { pairedBars } from "../ui/paired_bars";
import { Figure, Panel } from "../ui/panel";
import { DataTable } from "../ui/table";

interface Executed extends Document {
  scenario: string;
  ranks: string;
  forecast_s: number;
  forecast_p10_s: number;
  forecast_p90_s: number;
  executed_s: number;
  executed_min_s: number;
  executed_max_s: number;
  steps: number;
  error: number;
  drift: number;
  error_at_speed: number;
  parts: { name: string; collective: boolean; forecast_s: number; executed_s: number; error: number }[];
}

const drawnMax = 16;

/** "foreshard.step.v1" of `calibrate step`: a step that was forecast and executed. */
export function ExecutedStep({ document }: { document: Document }) {
  const step = document as Executed;
  const drawn = [...step.parts]
    .sort((a, b) => b.executed_s - a.executed_s)
    .slice(0, drawnMax)
    .reverse();
  return (
    <>
      <Panel wide title={`${step.scenario}: forecast and executed`} note={step.ranks}>
        <dl class="figures" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(170px, 1fr))" }}>
          <Figure
            label="forecast"
            value={seconds(step.forecast_s)}
            more={`p10 ${seconds(step.forecast_p10_s)}, p90 ${seconds(step.forecast_p90_s)}`}
            id="forecast"
          />
          <Figure
            label="executed"
            value={seconds(step.executed_s)}
            more={`${seconds(step.executed_min_s)} to ${seconds(step.executed_max_s)}, ${step.steps} steps`}
            id="executed"
          />
          <Figure label="error" value={signedPercent(step.error)} />
          <Figure label="drift" value={signedPercent(step.drift)} />
          <Figure label="error at the speed measured" value={signedPercent(step.error_at_speed)} />
        </dl>
      </Panel>
      <Panel title="Forecast and executed, by operator">
        <Chart
          name="forecast and executed"
          height={70 + drawn.length * 30}
          inputs={[step]}
          summary={drawn.map((p) => `${p.name} ${signedPercent(p.error)}`).join(", ")}
          option={() =>
            pairedBars(
              drawn.map((p) => p.name),
              [
                { name: "executed", values: drawn.map((p) => p.executed_s) },
                { name: "forecast", values: drawn.map((p) => p.forecast_s) },
              ],
              { left: 190, right: 30, shared: true },
            )
          }
        />
      </Panel>
      <Panel title="All operators and collectives">
        <DataTable
          name="parts"
          search
          rows={step.parts}
          columns={[
            { title: "part", value: (r) => r.name },
            { title: "forecast", value: (r) => r.forecast_s, text: (v) => seconds(v) },
            { title: "executed", value: (r) => r.executed_s, text: (v) => seconds(v) },
            { title: "error", value: (r) => r.error, text: (v) => signedPercent(v) },
            { title: "of the step", value: (r) => r.executed_s / step.executed_s, text: (v) => percent(v) },
          ]}
        />
      </Panel>
    </>
  );
}
