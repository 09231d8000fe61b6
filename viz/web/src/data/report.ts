import type { Document } from "./documents";

/** "foreshard.report.v1" of `run --json`. */
export interface Report extends Document {
  scenario: string;
  fidelity: string;
  ranks: number;
  ranks_played: number;
  model: string;
  cluster: string;
  plan: string;
  step_time_s: number;
  step_time_p10_s: number;
  step_time_p90_s: number;
  lower_bound_s: number;
  tokens_per_s: number;
  tokens_per_s_per_gpu: number;
  model_tflops_per_gpu: number;
  mfu: number;
  hfu: number;
  bottleneck: string;
  binding_link: string;
  measured: { step_time_s: number; source: string; error: number } | null;
  memory: Memory;
  breakdown: Record<string, number>;
  compute: { forward_s: number; backward_s: number; recompute_s: number };
  critical_path?: PathPart[];
  what_if?: { change: string; step_time_s: number; saves_s: number }[];
  links: Link[];
  sources: { name: string; share: number; spread: number }[];
  diagnostics: Diagnostic[];
}

/** Time of the critical path by what it was spent on and where; all together the step. */
export interface PathPart {
  kind: string;
  rank_class: string;
  spans: number;
  time_s: number;
  share: number;
  unseen_s: number;
}

export interface Memory {
  peak_bytes: number;
  capacity_bytes: number;
  fits: boolean;
  worst_rank: number;
  parts: Record<string, number>;
  moment: { time_s: number; share: number; task: string; stream: string };
  alive: { part: string; what: string; used_bytes: number }[];
  stages: {
    name: string;
    rank: number;
    allocated_bytes: number;
    reserved_bytes: number;
    device_bytes: number;
  }[];
  curve: { time_s: number[]; used_bytes: number[] };
  advice: string;
}

export interface Link {
  name: string;
  bytes: number;
  rate_bytes_per_s: number;
  utilisation: number;
  busy: number;
  lost_s: number;
  alike: number;
}

export interface Diagnostic {
  severity: string;
  file: string;
  line: number;
  column: number;
  message: string;
  hint: string;
}

/** Where the step goes, kernels by pass: key, seconds. The parts add up to the step. */
export function partsOf(report: Report): [key: string, seconds: number][] {
  const { compute_s: _, ...rest } = report.breakdown;
  return [...Object.entries(report.compute), ...Object.entries(rest)];
}
