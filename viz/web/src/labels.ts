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
  allocator_s: "waits: memory",
  slowed_s: "slowed by collectives",
};

export const labelOf = (key: string): string => labels[key] ?? words(key);

/** Kinds of time on the critical path as the text report calls them. */
const kindLabels: Record<string, string> = {
  tensor: "tensor-parallel collectives",
  context: "context-parallel collectives",
  expert: "exchange with experts",
  data: "gradient reduction",
  parameter: "parameter gathering",
  pipeline: "stage messages",
  host: "host launches",
  allocator: "waiting for memory",
  slowed: "kernels beside collectives",
  wait: "waiting",
};

export const labelOfKind = (kind: string): string => kindLabels[kind] ?? kind;
