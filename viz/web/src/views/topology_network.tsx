import type { EChartsOption } from "echarts";
import { useMemo } from "preact/hooks";
import type { Topology } from "../data/topology";
import { bitRate, count, percent } from "../format";
import { inks, loadColour, seriesColour } from "../palette";
import { Chart, lines } from "../ui/chart";

/** A layer of the picture with more devices than this is one box. */
const layerMax = 48;

interface Box {
  name: string;
  tier: number;
  members: number;
}

interface Edge {
  from: string;
  to: string;
  cables: number;
  rate: number;
  use: number;
}

/** Switches by tier over the groups of nodes; what is too many is folded into one box a layer. */
function layers(topology: Topology): { boxes: Box[]; edges: Edge[] } {
  const boxOf = new Map<string, string>();
  const boxes = new Map<string, Box>();
  const add = (tier: number, names: string[], what: string, single: (name: string) => string) => {
    for (const name of names) {
      const box = names.length > layerMax ? `${count(names.length)} ${what}` : single(name);
      boxOf.set(name, box);
      const known = boxes.get(box) ?? { name: box, tier, members: 0 };
      known.members++;
      boxes.set(box, known);
    }
  };
  const perNode = topology.nodes.length <= layerMax;
  const groupName = (g: number) => (perNode ? "" : `${topology.groups[g]!.name}: ${count(topology.groups[g]!.nodes.length)} nodes`);
  if (perNode) add(0, topology.nodes.map((node) => node.name), "nodes", (name) => name);
  else {
    const names = topology.groups.map((_, g) => groupName(g));
    add(0, names, "groups of nodes", (name) => name);
    topology.nodes.forEach((node, i) => boxOf.set(node.name, boxOf.get(groupName(topology.groupOfNode[i]!))!));
  }
  const tiers = [...new Set(topology.switches.map((one) => one.tier ?? 0))].sort((a, b) => a - b);
  for (const tier of tiers) add(tier === 0 ? 1 : tier, topology.switches.filter((one) => (one.tier ?? 0) === tier).map((one) => one.id), `switches of tier ${tier}`, (id) => id);
  const edges = new Map<string, Edge>();
  for (const link of topology.links) {
    const from = boxOf.get(link.from);
    const to = boxOf.get(link.to);
    if (from === undefined || to === undefined) continue;
    const [a, b] = from < to ? [from, to] : [to, from];
    const key = `${a}\n${b}`;
    const edge = edges.get(key) ?? { from: a, to: b, cables: 0, rate: 0, use: 0 };
    edge.cables += 0.5;  // a cable is two links
    edge.rate += link.rate_bit_s / 2;
    edge.use = Math.max(edge.use, link.use ?? 0);
    edges.set(key, edge);
  }
  return { boxes: [...boxes.values()], edges: [...edges.values()] };
}

export function NetworkPicture({ topology }: { topology: Topology }) {
  const { boxes, edges } = useMemo(() => layers(topology), [topology]);
  const tiers = [...new Set(boxes.map((box) => box.tier))].sort((a, b) => b - a);
  const most = Math.max(1e-9, ...edges.map((edge) => edge.use));
  const place = (box: Box): { x: number; y: number } => {
    const layer = boxes.filter((other) => other.tier === box.tier);
    return { x: ((layer.indexOf(box) + 0.5) / layer.length) * 1000, y: tiers.indexOf(box.tier) * 150 };
  };
  if (edges.length === 0) return <p class="note">No dump tells how nodes and switches are cabled.</p>;
  return (
    <Chart name="network" height={130 + tiers.length * 110} inputs={[topology]} summary={`${boxes.length} boxes, ${edges.length} bundles of cables`}
      option={(): EChartsOption => ({
        tooltip: { formatter: (p) => { const one = p as unknown as { dataType: string; data: { box?: Box; edge?: Edge } }; const { box, edge } = one.data;
          return box ? lines(box.name, box.members > 1 ? [["devices", count(box.members)]] : []) : lines(`${edge!.from} – ${edge!.to}`, [["cables", count(Math.round(edge!.cables))], ["together", bitRate(edge!.rate)], ...(topology.loaded ? [["busiest", percent(edge!.use)] as [string, string]] : [])]); } },
        series: [{
          type: "graph", layout: "none", roam: true, left: 60, right: 60, top: 20, bottom: 50,
          data: boxes.map((box) => ({ name: box.name, ...place(box), box, symbol: "roundRect", symbolSize: box.members > 1 ? [60, 22] : [22, 14], itemStyle: { color: box.tier === 0 ? seriesColour(0) : inks().faint },
            label: { show: boxes.filter((other) => other.tier === box.tier).length <= 16, position: box.tier === 0 ? "bottom" : "top", color: inks().text, fontSize: 11, width: 90, overflow: "truncate" } })),
          links: edges.map((edge) => ({ source: edge.from, target: edge.to, edge, lineStyle: { color: topology.loaded ? loadColour(edge.use / most) : inks().faint, width: topology.loaded ? 0.6 + 3 * (edge.use / most) : 0.8, opacity: 0.8 } })),
          emphasis: { focus: "adjacency" },
        }] as unknown as EChartsOption["series"],
      })} />
  );
}
