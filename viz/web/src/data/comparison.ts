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

/** What became of the plans of a search (`compare --search`). */
export interface Search {
  axes: Record<string, string[]>;
  plans: number;
  refused: number;
  too_large: number;
  cannot_be_best: number;
  estimated: number;
  undecided: number;
  looked_at: number;
  too_large_after_all: number;
  simulated: number;
  not_simulated: number;
  stopped: boolean;
  proven: boolean;
  bound_s: number;
  gap: number;
  verdict: string;
  rounds?: Round[];
}

/** What was known after a pass over the plans and the simulations that it asked for. */
export interface Round {
  /** of collectives between nodes, assumed */
  slowdown: number;
  refused: number;
  too_large: number;
  cannot_be_best: number;
  estimated: number;
  undecided: number;
  /** so far */
  simulated: number;
  best_s: number | null;
  bound_s: number | null;
  gap: number | null;
}
