import { words } from "./format";

/** Parts of the step as the text report calls them. */
const labels: Record<string, string> = {
  exposed_tensor_s: "waits: tensor parallel",
  exposed_context_s: "waits: context parallel",
  exposed_expert_s: "waits: experts",
  exposed_data_s: "waits: gradients",
  exposed_parameter_s: "waits: parameters",
  exposed_pipeline_s: "waits: stage messages",
  bubble_s: "pipeline bubble",
  host_s: "waits: host",
  slowed_s: "slowed by collectives",
};

export const labelOf = (key: string): string => labels[key] ?? words(key);
