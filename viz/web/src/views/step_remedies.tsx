import { partsOf, type PathPart, type Report } from "../data/report";
import { count, percent, seconds, signedSeconds } from "../format";
import { labelOfKind } from "../labels";
import { colourOf } from "../palette";
import { Panel, Term } from "../ui/panel";
import { DataTable, type Column } from "../ui/table";

/** What would help, and at most how much: a part of the step that computing waits for cannot save
 * more than all of it. */
const remedies: Record<string, string> = {
  exposed_tensor_s: "if tensor-parallel collectives cost nothing: lower tensor_parallel, or faster scale-up",
  exposed_context_s: "if context-parallel exchange cost nothing: lower context_parallel, or overlap it",
  exposed_expert_s: "if tokens reached experts at once: experts inside a node, or faster NICs",
  exposed_data_s: "if gradients were reduced behind kernels: overlap, larger global batch, faster NICs",
  exposed_parameter_s: "if parameters were gathered behind kernels: prefetch, lower ZeRO stage",
  exposed_pipeline_s: "if messages between stages were hidden: neighbouring stages nearer to each other",
  bubble_s: "if no stage waited: more micro-batches, interleaving, a zero-bubble schedule",
  host_s: "if the host launched in time: CUDA graphs, larger micro-batches, fused kernels",
  allocator_s: "if the allocator had the memory: a smaller micro-batch, recompute, more shards",
  slowed_s: "if collectives took no SMs from kernels",
  recompute_s: "if nothing was recomputed: selective or no recompute, where memory allows",
  optimizer_s: "if the optimizer cost nothing: more shards (ZeRO)",
};

/** What a change saves, in time and as a share of the step. */
function savings(title: string, step: number): Column<{ saved: number }>[] {
  return [
    { title, value: (r) => r.saved, text: (v) => signedSeconds(-v), width: "8em" },
    { title: "of the step", value: (r) => r.saved / step, text: (v) => percent(v), width: "7em" },
  ];
}

/** The step simulated again with one thing changed. */
export function WhatIf({ report }: { report: Report }) {
  const rows = (report.what_if ?? []).map((r) => ({ ...r, saved: r.saves_s }));
  if (rows.length === 0) return <Bounds report={report} />;
  return (
    <Panel
      title="What would help"
      note="The same step simulated again, one thing changed each. They do not add up. For another plan: foreshard compare SCENARIO --plans FILE --html PAGE."
    >
      <DataTable
        name="what if"
        rows={rows}
        columns={[
          { title: "change", value: (r) => r.change },
          { title: "step", term: "step time", value: (r) => r.step_time_s, text: (v) => seconds(v), width: "7em" },
          ...savings("saves", report.step_time_s),
        ]}
      />
    </Panel>
  );
}

function Bounds({ report }: { report: Report }) {
  const rows = partsOf(report)
    .filter(([key, s]) => remedies[key] && s > report.step_time_s * 1e-3)
    .map(([key, s]) => ({ what: remedies[key]!, key, saved: s }));
  const contention = report.step_time_s - report.lower_bound_s;
  if (contention > report.step_time_s * 1e-3)
    rows.push({
      key: "contention",
      what: "if no transfer met another on a link (the lower bound)",
      saved: contention,
    });
  rows.sort((a, b) => b.saved - a.saved);
  return (
    <Panel
      title="What would help, at most"
      note="An upper bound each: what one part of the step costs now. They do not add up, and a change may cost elsewhere. foreshard run SCENARIO --what-if --html PAGE simulates the step again with faster parts, which takes too long to be done unasked here."
    >
      <DataTable
        name="what if"
        rows={rows}
        columns={[
          { title: "change", value: (r) => r.what },
          ...savings("saves at most", report.step_time_s),
        ]}
      />
    </Panel>
  );
}

/** Shares of a path by kind or by rank class, largest first. */
function sharesOf(parts: PathPart[], key: "kind" | "rank_class"): [name: string, share: number][] {
  const sums = new Map<string, number>();
  for (const part of parts) sums.set(part[key], (sums.get(part[key]) ?? 0) + part.share);
  return [...sums].sort((a, b) => b[1] - a[1]);
}

export function CriticalPath({ report }: { report: Report }) {
  const parts = report.critical_path ?? [];
  if (parts.length === 0) return null;
  const spans = parts.reduce((n, part) => n + part.spans, 0);
  const classes = new Set(parts.map((part) => part.rank_class)).size;
  const unseen = parts.reduce((s, part) => s + part.unseen_s, 0);
  const kinds = sharesOf(parts, "kind").filter(([, share]) => share > 0.02);
  const [most] = sharesOf(parts, "rank_class");
  return (
    <Panel
      title={<Term of="critical path">Critical path</Term>}
      note={`${count(spans)} spans over ${count(classes)} rank class${classes === 1 ? "" : "es"}, from the end of the step back: before each comes the one whose end it waited for.${unseen > report.step_time_s * 1e-4 ? ` ${percent(unseen / report.step_time_s)} of it is on ranks that the timeline does not draw.` : ""}`}
    >
      <p class="why" data-testid="path">
        The step waits for {kinds.map(([kind, share]) => `${percent(share, 0)} ${labelOfKind(kind)}`).join(", ")}
        {classes > 1 && `; ${percent(most![1], 0)} of it on ${most![0]}`}.
      </p>
      <DataTable
        name="critical path"
        rows={parts.filter((part) => part.share > 5e-4)}
        columns={[
          {
            title: "time is spent on",
            value: (r) => labelOfKind(r.kind),
            show: (r) => (
              <>
                <i class="swatch" style={{ background: colourOf(r.kind) }} />
                {labelOfKind(r.kind)}
              </>
            ),
          },
          { title: "rank class", value: (r) => r.rank_class },
          { title: "spans", value: (r) => r.spans, text: count, width: "5em" },
          { title: "time", value: (r) => r.time_s, text: (v) => seconds(v), width: "7em" },
          { title: "of the step", value: (r) => r.share, text: (v) => percent(v), width: "7em" },
        ]}
      />
    </Panel>
  );
}
