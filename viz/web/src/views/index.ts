import type { ComponentType } from "preact";
import type { Document } from "../data/documents";
import { DataView } from "./data";
import { StepView } from "./step";
import { TimelineView } from "./timeline";

export interface View {
  id: string;
  title: string;
  /** any of these answers has it */
  schemas: string[];
  component: ComponentType<{ documents: Document[] }>;
}

/** All views; a page has those for which it has an answer. */
export const views: View[] = [
  { id: "step", title: "Step", schemas: ["foreshard.report.v1"], component: StepView },
  { id: "timeline", title: "Timeline", schemas: ["foreshard.timeline.v1"], component: TimelineView },
  { id: "data", title: "Data", schemas: [], component: DataView },
];

export const viewsOf = (documents: Document[]): View[] =>
  views.filter((view) => view.schemas.length === 0 || documents.some((document) => view.schemas.includes(document.schema)));
