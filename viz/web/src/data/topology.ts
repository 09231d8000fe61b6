import { all, find, type Document } from "./documents";
import type { Diagnostic } from "./report";

export interface Nic {
  name?: string;
  id?: string;
  rate_bit_s?: number;
  rail?: number;
  role?: string;
}

export interface Node {
  name: string;
  type?: string;
  gpu?: string;
  gpus?: number;
  usable_gpus?: number;
  free_gpus?: number;
  unavailable?: string;
  domains?: string[];
  nics?: Nic[];
  occupants?: { job?: string; pod?: string; gpus?: number }[];
}

export interface Switch {
  id: string;
  name?: string;
  tier?: number;
  rail?: number;
  role?: string;
}

interface End {
  node?: string;
  switch?: string;
  nic?: string;
}

interface RawTopology extends Document {
  cluster: {
    sources: { format: string; file: string; told: string }[];
    levels: string[];
    nodes: Node[];
    switches: Switch[];
    cables: { a: End; b: End; rate_bit_s?: number; state?: string; trouble?: string }[];
    notes: Diagnostic[];
  };
  links: { from: string; to: string; rate_bit_s: number; state?: string; use?: number }[];
}

interface Ranks extends Document {
  nodes: string[];
  node_of_rank: number[];
  gpu_of_rank: number[];
  communicators: { name: string; ranks: number; groups: number[] }[];
}

/** A link of the network, outside of nodes; `from` and `to` without the NIC. */
export interface Link {
  name: string;
  from: string;
  to: string;
  nic: string;
  node: string | null;
  rate_bit_s: number;
  state: string;
  use?: number;
  rail: number;
  tier: number;
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
  links: Link[];
  /** most that any link of the node's NICs is used; NaN: unknown */
  loadOfNode: Float64Array;
  loaded: boolean;
  trouble: { name: string; state: string; trouble: string }[];
  notes: Diagnostic[];
  ranks: Ranks | null;
  ranksOfNode: Map<number, number[]>;
}

/** Node of a device "node/part", or null for a switch. */
function ownerOf(device: string, nodes: Map<string, number>): [owner: string, part: string] {
  const cut = device.lastIndexOf("/");
  return cut > 0 && nodes.has(device.slice(0, cut)) ? [device.slice(0, cut), device.slice(cut + 1)] : [device, ""];
}

function groupsOf(raw: RawTopology["cluster"], nodeIndex: Map<string, number>): Group[] {
  const leaves: string[][] = raw.nodes.map(() => []);
  for (const cable of raw.cables)
    for (const [one, other] of [[cable.a, cable.b], [cable.b, cable.a]] as const)
      if (one.node !== undefined && other.switch !== undefined) leaves[nodeIndex.get(one.node)!]!.push(other.switch);
  const groups = new Map<string, Group>();
  raw.nodes.forEach((node, i) => {
    const path = (node.domains ?? []).filter((d) => d !== "");
    const under = [...new Set(leaves[i])];
    const name = path.length > 0 ? path[path.length - 1]! : under.length > 0 ? (under.length > 1 ? `${under[0]} and ${under.length - 1} more` : under[0]!) : "no known switch";
    const key = path.length > 0 ? path.join("\n") : under.join("\n");
    if (!groups.has(key)) groups.set(key, { name, path, nodes: [] });
    groups.get(key)!.nodes.push(i);
  });
  return [...groups.values()];
}

function build(raw: RawTopology, ranks: Ranks | null): Topology {
  const cluster = raw.cluster;
  const nodeIndex = new Map(cluster.nodes.map((node, i) => [node.name, i]));
  const switches = new Map(cluster.switches.map((one) => [one.id, one]));
  const loadOfNode = new Float64Array(cluster.nodes.length).fill(NaN);
  const links: Link[] = [];
  let loaded = false;
  for (const link of raw.links) {
    const [from, fromPart] = ownerOf(link.from, nodeIndex);
    const [to, toPart] = ownerOf(link.to, nodeIndex);
    if (fromPart !== "" && toPart !== "") continue;  // inside a node
    const node = fromPart !== "" ? from : toPart !== "" ? to : null;
    if (link.use !== undefined) {
      loaded = true;
      if (node !== null) {
        const at = nodeIndex.get(node)!;
        loadOfNode[at] = Math.max(Number.isNaN(loadOfNode[at]) ? 0 : loadOfNode[at]!, link.use);
      }
    }
    const ends = [switches.get(from), switches.get(to)];
    links.push({ name: `${link.from} → ${link.to}`, from, to, nic: fromPart || toPart, node, rate_bit_s: link.rate_bit_s, state: link.state ?? "up", use: link.use,
      rail: Math.max(...ends.map((one) => one?.rail ?? -1)), tier: Math.max(...ends.map((one) => one?.tier ?? 0)) });
  }
  const groups = groupsOf(cluster, nodeIndex);
  const groupOfNode = new Int32Array(cluster.nodes.length);
  groups.forEach((group, g) => group.nodes.forEach((node) => (groupOfNode[node] = g)));
  const ranksOfNode = new Map<number, number[]>();
  ranks?.node_of_rank.forEach((index, rank) => {
    const node = nodeIndex.get(ranks.nodes[index]!);
    if (node === undefined) return;
    if (!ranksOfNode.has(node)) ranksOfNode.set(node, []);
    ranksOfNode.get(node)!.push(rank);
  });
  const endName = (end: End): string => (end.node !== undefined ? `${end.node}${end.nic ? `/${end.nic}` : ""}` : end.switch ?? "?");
  return {
    sources: cluster.sources.map((s) => `${s.file} (${s.format}: ${s.told})`).join(", "), levels: cluster.levels, nodes: cluster.nodes, switches: cluster.switches,
    groups, groupOfNode, links, loadOfNode, loaded, notes: cluster.notes, ranks, ranksOfNode,
    trouble: cluster.cables.filter((c) => (c.state ?? "up") !== "up").map((c) => ({ name: `${endName(c.a)} – ${endName(c.b)}`, state: c.state!, trouble: c.trouble ?? "" })),
  };
}

const known = new WeakMap<Document[], Topology[]>();

/** Clusters of the page: one, or before and after. */
export function readTopologies(documents: Document[]): Topology[] {
  if (!known.has(documents)) {
    const ranks = find<Ranks>(documents, "foreshard.ranks.v1") ?? null;
    known.set(documents, all<RawTopology>(documents, "foreshard.topology.v1").map((raw) => build(raw, ranks)));
  }
  return known.get(documents)!;
}

export const stateOf = (node: Node): string =>
  node.unavailable ? node.unavailable : node.free_gpus === undefined ? "free, as far as known" : node.free_gpus === 0 ? "taken" : node.free_gpus < (node.usable_gpus ?? node.gpus ?? 0) ? "partly free" : "free";

/** The job with most GPUs of a node. */
export function jobOf(node: Node): string {
  const best = [...(node.occupants ?? [])].sort((a, b) => (b.gpus ?? 0) - (a.gpus ?? 0))[0];
  return best ? best.job || best.pod || "unnamed" : "no job";
}
