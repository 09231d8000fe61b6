import type { ComponentType } from "preact";
import type { Document } from "../data/documents";
import { CalibrationView } from "./calibration";
import { DataView } from "./data";
import { JobsView } from "./jobs";
import { PlacementView } from "./placement";
import { PlansView } from "./plans";
import { ScoreView } from "./score";
import { StepView } from "./step";
import { TimelineView } from "./timeline";
import { TopologyView } from "./topology";

export interface View {
  id: string;
  title: string;
  /** any of these answers has it; without any, every page has */
  schemas: string[];
  component: ComponentType<{ documents: Document[] }>;
}

/** All views; a page has those for which it has an answer. */
const views: View[] = [
  { id: "plans", title: "Plans", schemas: ["foreshard.comparison.v1"], component: PlansView },
  { id: "score", title: "Score", schemas: ["foreshard.score.v1"], component: ScoreView },
  {
    id: "calibration",
    title: "Calibration",
    schemas: [
      "foreshard.calibration_summary.v1",
      "foreshard.fit.v1",
      "foreshard.replay.v1",
      "foreshard.step.v1",
    ],
    component: CalibrationView,
  },
  {
    id: "placement",
    title: "Placement",
    schemas: ["foreshard.placement_evaluation.v1", "foreshard.placement.v1"],
    component: PlacementView,
  },
  { id: "jobs", title: "Jobs", schemas: ["foreshard.jobs.v1", "foreshard.queue.v1"], component: JobsView },
  { id: "step", title: "Step", schemas: ["foreshard.report.v1"], component: StepView },
  { id: "timeline", title: "Timeline", schemas: ["foreshard.timeline.v1"], component: TimelineView },
  {
    id: "topology",
    title: "Topology",
    schemas: ["foreshard.topology.v1", "foreshard.survey.v1", "foreshard.cluster_diff.v1"],
    component: TopologyView,
  },
  { id: "data", title: "Data", schemas: [], component: DataView },
];

export const viewsOf = (documents: Document[]): View[] =>
  views.filter(
    (view) =>
      view.schemas.length === 0 || documents.some((document) => view.schemas.includes(document.schema)),
  );
