import type { EChartsOption } from "echarts";
import { useMemo } from "preact/hooks";
import type { Topology } from "../data/topology";
import { bitRate, count, percent } from "../format";
import { inks, loadColour, seriesColour } from "../palette";
import { Chart, lines } from "../ui/chart";
import { markColour } from "./topology_map";

/** A layer of the picture with more boxes than this is folded. */
const layerMax = 64;

interface Box {
  name: string;
  tier: number;
  members: number;
  /** how its members differ from the other cluster; null: not at all */
  mark: string | null;
}

interface Edge {
  from: string;
  to: string;
  cables: number;
  rate: number;
  use: number;
  mark: string | null;
}

/** Switches by tier over nodes, or over their groups where there are many. A layer of too many
 * switches is folded: those that lead down to the same boxes are one, and if these are still too
 * many, all are. */
function layers(topology: Topology): { boxes: Box[]; edges: Edge[] } {
  const boxOf = new Map<string, string>();
  const boxes: Box[] = [];
  const nodeIndex = new Map(topology.nodes.map((node, i) => [node.name, i]));
  const switchIndex = new Map(topology.switches.map((one, i) => [one.id, i]));
  const { marks } = topology;
  /** of the first that differs at all */
  const markOf = (names: string[]): string | null => {
    for (const name of names) {
      const node = nodeIndex.get(name);
      const mark = node !== undefined ? marks?.node[node] : marks?.switch[switchIndex.get(name) ?? -1];
      if (mark) return mark;
    }
    return null;
  };
  const addLayer = (tier: number, devices: string[], fold: ((device: string) => string)[], what: string) => {
    const named = (key: (device: string) => string) => {
      const members = new Map<string, string[]>();
      for (const device of devices) {
        const name = key(device);
        members.has(name) ? members.get(name)!.push(device) : members.set(name, [device]);
      }
      return members;
    };
    let members = named((device) => device);
    for (const key of fold) if (members.size > layerMax) members = named(key);
    for (const inside of members.values()) {
      const name =
        inside.length === 1 ? inside[0]! : `${inside[0]} and ${count(inside.length - 1)} more ${what}`;
      boxes.push({ name, tier, members: inside.length, mark: markOf(inside) });
      for (const device of inside) boxOf.set(device, name);
    }
  };
  const all = () => "all";
  addLayer(
    0,
    topology.nodes.map((node) => node.name),
    [(name) => String(topology.groupOfNode[nodeIndex.get(name)!]), all],
    "nodes",
  );
  const { devices, links } = topology;
  /** the node or switch at an end of a link */
  const at = (device: number) =>
    devices[device]!.node >= 0 ? topology.nodes[devices[device]!.node]!.name : devices[device]!.name;
  const tierAt = (device: number) => {
    const s = topology.switches[devices[device]!.switch];
    return s ? Math.max(s.tier, 1) : 0;
  };
  const down = new Map<string, Set<number>>();
  for (let i = 0; i < links.count; ++i) {
    if (tierAt(links.to[i]!) <= tierAt(links.from[i]!)) continue;
    const to = at(links.to[i]!);
    if (!down.has(to)) down.set(to, new Set());
    down.get(to)!.add(links.from[i]!);
  }
  const below = (id: string) =>
    [...new Set([...(down.get(id) ?? [])].map((device) => boxOf.get(at(device))))].sort().join("\n");
  const tierOf = new Map(topology.switches.map((one) => [one.id, Math.max(one.tier, 1)]));
  for (const tier of [...new Set(tierOf.values())].sort((a, b) => a - b))
    addLayer(
      tier,
      topology.switches.filter((one) => tierOf.get(one.id) === tier).map((one) => one.id),
      [below, all],
      "switches",
    );
  const edges = new Map<string, Edge>();
  for (let i = 0; i < links.count; ++i) {
    const from = boxOf.get(at(links.from[i]!));
    const to = boxOf.get(at(links.to[i]!));
    if (from === undefined || to === undefined) continue;
    const [a, b] = from < to ? [from, to] : [to, from];
    let edge = edges.get(`${a}\n${b}`);
    if (!edge)
      edges.set(`${a}\n${b}`, (edge = { from: a, to: b, cables: 0, rate: 0, use: 0, mark: null }));
    edge.mark ??= marks?.cables.get(`${at(links.from[i]!)}\n${at(links.to[i]!)}`) ?? null;
    edge.cables += 0.5; // a cable is two links
    edge.rate += links.rate[i]! / 2;
    edge.use = Math.max(edge.use, links.use?.[i] ?? 0);
  }
  return { boxes, edges: [...edges.values()] };
}

export function NetworkPicture({ topology }: { topology: Topology }) {
  const { boxes, edges } = useMemo(() => layers(topology), [topology]);
  const tiers = [...new Set(boxes.map((box) => box.tier))].sort((a, b) => b - a);
  const most = topology.links.scale ?? Math.max(1e-9, ...edges.map((edge) => edge.use));
  const sizeOf = (tier: number): number => boxes.filter((other) => other.tier === tier).length;
  const place = (box: Box): { x: number; y: number } => {
    const layer = boxes.filter((other) => other.tier === box.tier);
    return { x: ((layer.indexOf(box) + 0.5) / layer.length) * 1000, y: tiers.indexOf(box.tier) * 150 };
  };
  if (edges.length === 0) return <p class="note">No dump tells how nodes and switches are cabled.</p>;
  return (
    <Chart
      name="network"
      height={130 + tiers.length * 110}
      inputs={[topology]}
      summary={`${boxes.length} boxes, ${edges.length} bundles of cables`}
      option={(): EChartsOption => ({
        tooltip: {
          formatter: (p) => {
            const one = p as unknown as { dataType: string; data: { box?: Box; edge?: Edge } };
            const { box, edge } = one.data;
            return box
              ? lines(box.name, [
                  ...(box.members > 1 ? [["devices", count(box.members)] as [string, string]] : []),
                  ...(box.mark ? [["compared", box.mark] as [string, string]] : []),
                ])
              : lines(`${edge!.from} – ${edge!.to}`, [
                  ["cables", count(Math.round(edge!.cables))],
                  ["together", bitRate(edge!.rate)],
                  ...(topology.links.use ? [["busiest", percent(edge!.use)] as [string, string]] : []),
                  ...(edge!.mark ? [["cables", edge!.mark] as [string, string]] : []),
                ]);
          },
        },
        series: [
          {
            type: "graph",
            layout: "none",
            roam: true,
            left: 60,
            right: 60,
            top: 36,
            bottom: 50,
            data: [
              ...[0, 1000].map((x) => ({ name: `edge ${x}`, x, y: 0, symbolSize: 0, silent: true })),
              ...boxes.map((box) => ({
                name: box.name,
                ...place(box),
                box,
                symbol: "roundRect",
                symbolSize: [
                  Math.min(box.members > 1 ? 60 : 22, 800 / sizeOf(box.tier)),
                  box.members > 1 ? 22 : 14,
                ],
                itemStyle: {
                  color: topology.marks
                    ? markColour(box.mark)
                    : box.tier === 0
                      ? seriesColour(0)
                      : inks().faint,
                },
                label: {
                  show: sizeOf(box.tier) <= 16,
                  position: box.tier === 0 ? "bottom" : "top",
                  color: inks().text,
                  fontSize: 11,
                  width: Math.min(140, 900 / sizeOf(box.tier)),
                  overflow: "truncate",
                },
              })),
            ],
            links: edges.map((edge) => ({
              source: edge.from,
              target: edge.to,
              edge,
              lineStyle: {
                color: edge.mark
                  ? markColour(edge.mark)
                  : topology.links.use
                    ? loadColour(edge.use / most)
                    : inks().faint,
                width: edge.mark ? 3 : topology.links.use ? 0.6 + 3 * (edge.use / most) : 0.8,
                opacity: 0.8,
              },
            })),
            emphasis: { focus: "adjacency" },
          },
        ] as unknown as EChartsOption["series"],
      })}
    />
  );
}
