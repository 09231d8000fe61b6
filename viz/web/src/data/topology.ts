import { all, find, type Document } from "./documents";
import type { Diagnostic } from "./report";

export interface Node {
  name: string;
  type?: string;
  gpu?: string;
  gpus?: number;
  usable_gpus?: number;
  free_gpus?: number;
  unavailable?: string;
  domains?: string[];
  occupants?: { job: string; gpus: number }[];
}

export interface Switch {
  id: string;
  tier: number;
  rail: number;
}

interface RawTopology extends Document {
  sources: { format: string; file: string; told: string }[];
  levels: string[];
  nodes: Node[];
  switches: Switch[];
  links: {
    devices: string[];
    from: number[];
    to: number[];
    rate_bit_s: number[];
    use?: number[];
    not_up: { link: number; state: string }[];
  };
  trouble: { name: string; state: string; trouble: string }[];
  notes: Diagnostic[];
}

interface Ranks extends Document {
  nodes: string[];
  node_of_rank: number[];
  gpu_of_rank: number[];
  communicators: { name: string; ranks: number; groups: number[] }[];
}

/** A node, one of its NICs, or a switch. */
export interface Device {
  name: string;
  /** index of the node that has it, -1 for switches */
  node: number;
  /** index of the switch, -1 for nodes and their NICs */
  switch: number;
}

/** Links between nodes and switches, one direction each, as columns. */
export interface Links {
  count: number;
  from: number[];
  to: number[];
  rate: number[];
  /** share of the step; null: nobody simulated it */
  use: number[] | null;
  state: Map<number, string>;
}

export interface Group {
  name: string;
  path: string[];
  nodes: number[];
}

/** A cluster as it is drawn: nodes in the groups of their network, and what connects those. */
export interface Topology {
  sources: string;
  levels: string[];
  nodes: Node[];
  switches: Switch[];
  groups: Group[];
  groupOfNode: Int32Array;
  devices: Device[];
  links: Links;
  /** most that any link of the node's NICs is used; NaN: unknown */
  loadOfNode: Float64Array;
  trouble: { name: string; state: string; trouble: string }[];
  notes: Diagnostic[];
  ranks: Ranks | null;
  ranksOfNode: Map<number, number[]>;
}

function deviceOf(name: string, nodes: Map<string, number>, switches: Map<string, number>): Device {
  const cut = name.lastIndexOf("/");
  const node = switches.has(name)
    ? undefined
    : (nodes.get(name) ?? (cut > 0 ? nodes.get(name.slice(0, cut)) : undefined));
  return { name, node: node ?? -1, switch: switches.get(name) ?? -1 };
}

/** Nodes under the same switches; the domains of dumps say it where there are any. */
function groupsOf(nodes: Node[], devices: Device[], links: RawTopology["links"]): Group[] {
  const leaves = nodes.map(() => new Set<number>());
  for (let i = 0; i < links.from.length; ++i) {
    const from = devices[links.from[i]!]!;
    if (from.node >= 0) leaves[from.node]!.add(links.to[i]!);
  }
  const groups = new Map<string, Group>();
  nodes.forEach((node, i) => {
    const path = (node.domains ?? []).filter((d) => d !== "");
    const under = [...leaves[i]!].map((leaf) => devices[leaf]!.name);
    const name =
      path.length > 0
        ? path[path.length - 1]!
        : under.length > 0
          ? under.length > 1
            ? `${under[0]} and ${under.length - 1} more`
            : under[0]!
          : "no known switch";
    const key = path.length > 0 ? path.join("\n") : under.join("\n");
    if (!groups.has(key)) groups.set(key, { name, path, nodes: [] });
    groups.get(key)!.nodes.push(i);
  });
  return [...groups.values()];
}

function build(raw: RawTopology, ranks: Ranks | null): Topology {
  const nodeIndex = new Map(raw.nodes.map((node, i) => [node.name, i]));
  const switchIndex = new Map(raw.switches.map((one, i) => [one.id, i]));
  const devices = raw.links.devices.map((name) => deviceOf(name, nodeIndex, switchIndex));
  const { from, to, rate_bit_s, use } = raw.links;
  const loadOfNode = new Float64Array(raw.nodes.length).fill(NaN);
  for (let i = 0; use && i < from.length; ++i)
    for (const end of [devices[from[i]!]!, devices[to[i]!]!])
      if (end.node >= 0)
        loadOfNode[end.node] = Math.max(
          Number.isNaN(loadOfNode[end.node]) ? 0 : loadOfNode[end.node]!,
          use[i]!,
        );
  const groups = groupsOf(raw.nodes, devices, raw.links);
  const groupOfNode = new Int32Array(raw.nodes.length);
  groups.forEach((group, g) => group.nodes.forEach((node) => (groupOfNode[node] = g)));
  const ranksOfNode = new Map<number, number[]>();
  ranks?.node_of_rank.forEach((index, rank) => {
    const node = nodeIndex.get(ranks.nodes[index]!);
    if (node === undefined) return;
    if (!ranksOfNode.has(node)) ranksOfNode.set(node, []);
    ranksOfNode.get(node)!.push(rank);
  });
  return {
    sources: raw.sources.map((s) => `${s.file} (${s.format}: ${s.told})`).join(", "),
    levels: raw.levels,
    nodes: raw.nodes,
    switches: raw.switches,
    groups,
    groupOfNode,
    devices,
    links: {
      count: from.length,
      from,
      to,
      rate: rate_bit_s,
      use: use ?? null,
      state: new Map(raw.links.not_up.map((one) => [one.link, one.state])),
    },
    loadOfNode,
    notes: raw.notes,
    trouble: raw.trouble,
    ranks,
    ranksOfNode,
  };
}

/** Rail and upper tier of a link: 0 is that of nodes. */
export function placeOf(topology: Topology, link: number): { rail: number; tier: number } {
  const ends = [topology.links.from[link]!, topology.links.to[link]!].map(
    (d) => topology.switches[topology.devices[d]!.switch],
  );
  return {
    rail: Math.max(...ends.map((one) => one?.rail ?? -1)),
    tier: Math.max(...ends.map((one) => one?.tier ?? 0)),
  };
}

const known = new WeakMap<Document[], Topology[]>();

/** Clusters of the page: one, or before and after. */
export function readTopologies(documents: Document[]): Topology[] {
  if (!known.has(documents)) {
    const ranks = find<Ranks>(documents, "foreshard.ranks.v1") ?? null;
    known.set(
      documents,
      all<RawTopology>(documents, "foreshard.topology.v1").map((raw) => build(raw, ranks)),
    );
  }
  return known.get(documents)!;
}

export const stateOf = (node: Node): string =>
  node.unavailable
    ? node.unavailable
    : node.free_gpus === undefined
      ? "free, as far as known"
      : node.free_gpus === 0
        ? "taken"
        : node.free_gpus < (node.usable_gpus ?? node.gpus ?? 0)
          ? "partly free"
          : "free";

/** The job with most GPUs of a node. */
export function jobOf(node: Node): string {
  const best = [...(node.occupants ?? [])].sort((a, b) => b.gpus - a.gpus)[0];
  return best ? best.job || "unnamed" : "no job";
}
