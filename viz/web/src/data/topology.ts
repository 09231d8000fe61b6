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
  name?: string;
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
    course?: number[];
    courses?: { intervals: number; load_permille: number[][] };
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
  /** what `use` is drawn as a share of; null: of the busiest link */
  scale: number | null;
}

/** Loads of links over the step, in equal intervals. */
export interface Courses {
  intervals: number;
  /** different ones: thousandths of the rate, by interval */
  loads: number[][];
  /** by link, -1: nothing crosses it */
  ofLink: number[];
}

/** How two clusters differ, as one of them shows it. */
export interface Marks {
  /** by node; null: unchanged */
  node: (string | null)[];
  switch: (string | null)[];
  /** "device\ndevice" of cables, both ways round */
  cables: Map<string, string>;
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
  courses: Courses | null;
  marks: Marks | null;
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

/** Of each node, the most that any link of its NICs is used; NaN: unknown. */
function loadsOf(nodes: number, devices: Device[], from: number[], to: number[], use: number[] | null) {
  const loads = new Float64Array(nodes).fill(NaN);
  for (let i = 0; use && i < from.length; ++i)
    for (const end of [devices[from[i]!]!, devices[to[i]!]!])
      if (end.node >= 0)
        loads[end.node] = Math.max(Number.isNaN(loads[end.node]) ? 0 : loads[end.node]!, use[i]!);
  return loads;
}

/** The cluster with its links as busy as they are in one interval of the step. */
export function atInterval(topology: Topology, interval: number): Topology {
  const { courses, links } = topology;
  if (!courses || interval < 0) return topology;
  const use = courses.ofLink.map((course) => (course < 0 ? 0 : courses.loads[course]![interval]! / 1000));
  const scale = Math.max(1e-3, ...courses.loads.map((loads) => Math.max(...loads) / 1000));
  return {
    ...topology,
    links: { ...links, use, scale },
    loadOfNode: loadsOf(topology.nodes.length, topology.devices, links.from, links.to, use),
  };
}

interface Change {
  kind: string;
  what: string;
  devices?: string[];
}

const cableKinds = ["cable gone", "cable new", "cables", "cable state"];

/** What of a change is to be seen: "new", "gone", "changed", or "cables changed". */
const markOf = (kind: string): string =>
  cableKinds.includes(kind)
    ? "cables changed"
    : kind.endsWith(" new")
      ? "new"
      : kind.endsWith(" gone")
        ? "gone"
        : "changed";

/** Ids of switches (GUIDs, MACs) by what people call them, where no two have the same name. */
function calledOf(nodes: Node[], switches: Switch[]): Map<string, string> {
  const names = switches.map((one) => one.name ?? one.id);
  const all = new Set([...names, ...nodes.map((node) => node.name)]);
  const unique = all.size === names.length + nodes.length;
  return new Map(unique ? switches.map((one, i) => [one.id, names[i]!]) : []);
}

function marksOf(
  changes: Change[],
  nodes: Map<string, number>,
  switches: Map<string, number>,
  called: Map<string, string>,
): Marks {
  const marks: Marks = {
    node: Array.from({ length: nodes.size }, () => null),
    switch: Array.from({ length: switches.size }, () => null),
    cables: new Map(),
  };
  const weight = [null, "cables changed", "changed", "gone", "new"];
  for (const { kind, devices = [] } of changes) {
    const mark = markOf(kind);
    for (const [of, index] of [
      [marks.node, nodes],
      [marks.switch, switches],
    ] as const)
      for (const device of devices) {
        const i = index.get(device);
        if (i !== undefined && weight.indexOf(mark) > weight.indexOf(of[i]!)) of[i] = mark;
      }
    if (cableKinds.includes(kind) && devices.length === 2) {
      const how = kind === "cable gone" ? "gone" : kind === "cable new" ? "new" : "changed";
      const [a, b] = devices.map((device) => called.get(device) ?? device);
      marks.cables.set(`${a}\n${b}`, how);
      marks.cables.set(`${b}\n${a}`, how);
    }
  }
  return marks;
}

function build(raw: RawTopology, ranks: Ranks | null, changes: Change[] | null): Topology {
  const nodeIndex = new Map(raw.nodes.map((node, i) => [node.name, i]));
  const switchIndex = new Map(raw.switches.map((one, i) => [one.id, i]));
  const called = calledOf(raw.nodes, raw.switches);
  const devices = raw.links.devices.map((name) => ({
    ...deviceOf(name, nodeIndex, switchIndex),
    name: called.get(name) ?? name,
  }));
  const { from, to, rate_bit_s, use, course, courses } = raw.links;
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
    switches: raw.switches.map((one) => ({ ...one, id: called.get(one.id) ?? one.id })),
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
      scale: null,
    },
    courses:
      course && courses
        ? { intervals: courses.intervals, loads: courses.load_permille, ofLink: course }
        : null,
    marks: changes && marksOf(changes, nodeIndex, switchIndex, called),
    loadOfNode: loadsOf(raw.nodes.length, devices, from, to, use ?? null),
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
    const diff = find<Document & { changes: Change[] }>(documents, "foreshard.cluster_diff.v1");
    known.set(
      documents,
      all<RawTopology>(documents, "foreshard.topology.v1").map((raw) =>
        build(raw, ranks, diff?.changes ?? null),
      ),
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
