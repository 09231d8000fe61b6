import { useMemo } from "preact/hooks";
import { placeOf, type Topology } from "../data/topology";
import { bitRate, count, percent } from "../format";
import { Panel, Term } from "../ui/panel";
import { DataTable, type Column } from "../ui/table";

/** Rows of the table of links at most. */
export const linksMax = 5000;

export interface LinkRow {
  name: string;
  rail: number;
  rate: number;
  use: number | undefined;
  state: string;
}

export function rowOf(topology: Topology, link: number): LinkRow {
  const { devices, links } = topology;
  return {
    name: `${devices[links.from[link]!]!.name} → ${devices[links.to[link]!]!.name}`,
    rail: placeOf(topology, link).rail,
    rate: links.rate[link]!,
    use: links.use?.[link],
    state: links.state.get(link) ?? "up",
  };
}

export function linkColumns(topology: Topology): Column<LinkRow>[] {
  return [
    { title: "link", value: (r) => r.name, show: (r) => <span class="line">{r.name}</span> },
    { title: "rail", value: (r) => (r.rail >= 0 ? r.rail : undefined), text: count, width: "4em" },
    { title: "rate", value: (r) => r.rate, text: (v) => bitRate(v), width: "8em" },
    ...(topology.links.use
      ? [{ title: "use", value: (r: LinkRow) => r.use, text: (v: number) => percent(v), width: "6em" }]
      : []),
    { title: "state", value: (r) => r.state, width: "6em" },
  ];
}

/** Those that are not up, then the busiest. */
export function busiest(topology: Topology): LinkRow[] {
  const { links } = topology;
  const order = Uint32Array.from({ length: links.count }, (_, i) => i);
  const weight = (i: number) => (links.state.has(i) ? 2 : 0) + (links.use?.[i] ?? 0);
  order.sort((a, b) => weight(b) - weight(a) || a - b);
  return Array.from(order.subarray(0, linksMax), (i) => rowOf(topology, i));
}

export function Rails({ topology }: { topology: Topology }) {
  const rows = useMemo(() => {
    const by = new Map<
      string,
      { rail: number; tier: number; links: number; down: number; most: number; sum: number }
    >();
    for (let i = 0; i < topology.links.count; ++i) {
      const { rail, tier } = placeOf(topology, i);
      const key = `${tier}:${rail}`;
      const row = by.get(key) ?? { rail, tier, links: 0, down: 0, most: 0, sum: 0 };
      const use = topology.links.use?.[i] ?? 0;
      row.links++;
      row.down += topology.links.state.has(i) ? 1 : 0;
      row.most = Math.max(row.most, use);
      row.sum += use;
      by.set(key, row);
    }
    return [...by.values()].sort((a, b) => a.tier - b.tier || a.rail - b.rail);
  }, [topology]);
  if (rows.length === 0) return null;
  return (
    <Panel
      title={
        <>
          <Term of="rail">Rails</Term> and tiers
        </>
      }
    >
      <DataTable
        name="rails"
        rows={rows}
        columns={[
          {
            title: "between",
            value: (r) => (r.tier <= 1 ? "nodes and tier 1" : `tiers ${r.tier - 1} and ${r.tier}`),
          },
          { title: "rail", value: (r) => (r.rail >= 0 ? r.rail : undefined), text: count },
          { title: "links", value: (r) => r.links, text: count },
          { title: "not up", value: (r) => r.down, text: count },
          ...(topology.links.use
            ? [
                { title: "busiest", value: (r: (typeof rows)[0]) => r.most, text: (v: number) => percent(v) },
                {
                  title: "mean use",
                  term: "use",
                  value: (r: (typeof rows)[0]) => r.sum / r.links,
                  text: (v: number) => percent(v),
                },
              ]
            : []),
        ]}
      />
    </Panel>
  );
}
