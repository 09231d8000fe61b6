import type { Document } from "../data/documents";
import { bitRate, count, percent } from "../format";
import { Figure, Panel, Term } from "../ui/panel";
import { DataTable } from "../ui/table";

interface SurveyDocument extends Document {
  nodes: number;
  gpus: number;
  occupancy_known: boolean;
  free_nodes: number;
  free_gpus: number;
  inventory: {
    type: string;
    gpu: string;
    unavailable: string;
    nodes: number;
    gpus: number;
    free_gpus: number;
  }[];
  slot_sizes_gpus: number[];
  levels: {
    name: string;
    domains: number;
    nodes_min: number;
    nodes_max: number;
    free_nodes_max: number;
    freest: string;
    fragmentation: number;
    slots: number[];
  }[];
  tiers: { lower: string; upper: string; cables: number; rate_bit_s: number; oversubscription: number }[];
  bisection_bit_s?: number;
  bisection_share?: number;
  anomalies: { kind: string; count: number; what: string }[];
}

/** "foreshard.survey.v1" of `topology show`. */
export function Survey({ document }: { document: Document }) {
  const survey = document as SurveyDocument;
  return (
    <>
      <Panel wide title="Cluster">
        <dl class="figures" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(150px, 1fr))" }}>
          <Figure label="nodes" value={count(survey.nodes)} id="nodes" />
          <Figure label="GPUs" value={count(survey.gpus)} id="gpus" />
          <Figure
            label="free nodes"
            value={survey.occupancy_known ? count(survey.free_nodes) : "not known"}
          />
          <Figure label="free GPUs" value={survey.occupancy_known ? count(survey.free_gpus) : "not known"} />
          {survey.bisection_bit_s !== undefined && (
            <Figure
              label="bisection"
              value={bitRate(survey.bisection_bit_s)}
              more={
                survey.bisection_share !== undefined ? `${percent(survey.bisection_share, 0)} of full` : ""
              }
            />
          )}
        </dl>
      </Panel>
      <Panel title="Inventory">
        <DataTable
          name="inventory"
          rows={survey.inventory}
          columns={[
            { title: "type", value: (r) => r.type || "unknown" },
            { title: "GPU", value: (r) => r.gpu || "unknown" },
            { title: "takes nothing new", value: (r) => r.unavailable },
            { title: "nodes", value: (r) => r.nodes, text: count },
            { title: "GPUs", value: (r) => r.gpus, text: count },
            {
              title: "free GPUs",
              value: (r) => (survey.occupancy_known ? r.free_gpus : undefined),
              text: count,
            },
          ]}
        />
      </Panel>
      <Panel title="Not as its neighbours">
        {survey.anomalies.length === 0 ? (
          <p>Nothing.</p>
        ) : (
          <DataTable
            name="anomalies"
            search={survey.anomalies.length > 10}
            rows={survey.anomalies}
            columns={[
              { title: "kind", value: (r) => r.kind },
              { title: "number", value: (r) => r.count, text: count },
              { title: "what", value: (r) => r.what },
            ]}
          />
        )}
      </Panel>
      <Panel
        title="Levels"
        note={
          <>
            <Term of="fragmentation" />: how much of what is free lies outside of the freest domain. Slots:
            jobs of so many GPUs that fit inside one domain each.
          </>
        }
      >
        <DataTable
          name="levels"
          rows={survey.levels}
          columns={[
            { title: "level", value: (r) => r.name },
            { title: "domains", value: (r) => r.domains, text: count },
            {
              title: "nodes",
              value: (r) =>
                r.nodes_min === r.nodes_max ? String(r.nodes_min) : `${r.nodes_min} to ${r.nodes_max}`,
            },
            { title: "fragmentation", value: (r) => r.fragmentation, text: (v) => percent(v) },
            ...survey.slot_sizes_gpus.map((size, i) => ({
              title: `${size} GPUs`,
              value: (r: SurveyDocument["levels"][0]) => r.slots[i],
              text: count,
            })),
          ]}
        />
      </Panel>
      <Panel title="Tiers">
        <DataTable
          name="tiers"
          rows={survey.tiers}
          columns={[
            { title: "from", value: (r) => r.lower },
            { title: "to", value: (r) => r.upper },
            { title: "cables", value: (r) => r.cables, text: count },
            { title: "rate", value: (r) => r.rate_bit_s, text: (v) => bitRate(v) },
            {
              title: "oversubscription",
              value: (r) => r.oversubscription,
              text: (v) => `${v.toFixed(2)} : 1`,
            },
          ]}
        />
      </Panel>
    </>
  );
}
