import type { Diagnostic } from "./report";
import type { Document } from "./documents";

export interface Plan {
  name: string;
  plan: string;
  gpus: number;
  step_time_s: number;
  step_time_p10_s: number;
  step_time_p90_s: number;
  tokens_per_s: number;
  mfu: number;
  memory: { peak_bytes: number; capacity_bytes: number; fits: boolean; worst_rank: number };
  gpu_hour_price: number | null;
  cost_per_1e12_tokens: number | null;
  pareto: boolean;
  /** probability that the first of the table is quicker */
  first_is_quicker: number;
  breakdown: Record<string, number>;
  more_than_first: { total_s: number; parts: { name: string; s: number }[]; sentence: string };
  bottleneck: string;
  diagnostics: Diagnostic[];
}

/** "foreshard.comparison.v1" of `compare --json`: plans, quickest first, those that do not fit last. */
export interface Comparison extends Document {
  scenario: string;
  model: string;
  cluster: string;
  fidelity: string;
  currency: string | null;
  plans: Plan[];
  refused: { name: string; reasons: Diagnostic[] }[];
  search?: Search;
}

/** How a search went: candidates, what was left out and why, and the best found over time. */
export interface Search {
  candidates?: number;
  pruned?: { reason: string; count: number }[];
  progress?: { evaluated: number; best_step_time_s: number }[];
  [key: string]: unknown;
}
