import { useMemo, useState } from "preact/hooks";
import { jobOf, stateOf, type Topology } from "../data/topology";
import { count, percent } from "../format";
import { colourOf, inkOn, loadColour, seriesColour } from "../palette";

export type Colouring = "state" | "job" | "load" | "rank" | "change";

/** Beyond so many nodes, closed groups are strips of shares. */
const cellsMax = 3000;

export interface Ink {
  colour: (node: number) => string;
  name: (node: number) => string;
  dim: (node: number) => boolean;
  legend: [name: string, colour: string][];
}

const stateColours: Record<string, string> = {
  free: "backward",
  "free, as far as known": "backward",
  "partly free": "tensor",
  taken: "forward",
};

/** What differs between two clusters, in the order of the legend. */
export const markColours: [mark: string, colour: string][] = [
  ["new", "backward"],
  ["gone", "data"],
  ["changed", "tensor"],
  ["cables changed", "context"],
  ["unchanged", "bubble"],
];

export const markColour = (mark: string | null): string =>
  colourOf(markColours.find(([name]) => name === (mark ?? "unchanged"))![1]);

/** Colours of nodes; `group` of a communicator is shown where one is chosen. */
export function inkOf(topology: Topology, colouring: Colouring, communicator: number, group: number): Ink {
  const nodes = topology.nodes;
  const never = () => false;
  if (colouring === "load") {
    const load = (i: number) => topology.loadOfNode[i]!;
    return {
      colour: (i) => loadColour(load(i)),
      name: (i) => (Number.isNaN(load(i)) ? "unknown" : percent(load(i))),
      dim: never,
      legend: [0, 0.25, 0.5, 0.75, 1].map((x) => [percent(x, 0), loadColour(x)]),
    };
  }
  if (colouring === "change" && topology.marks) {
    const { node } = topology.marks;
    return {
      colour: (i) => markColour(node[i]!),
      name: (i) => node[i] ?? "unchanged",
      dim: never,
      legend: markColours
        .map(([mark]): [string, number] => [mark, node.filter((m) => (m ?? "unchanged") === mark).length])
        .filter(([, n]) => n > 0)
        .map(([mark, n]) => [`${mark} (${count(n)})`, markColour(mark)]),
    };
  }
  if (colouring === "rank" && topology.ranks) {
    const groups = topology.ranks.communicators[communicator]?.groups ?? [];
    const groupsOf = (i: number) => [
      ...new Set((topology.ranksOfNode.get(i) ?? []).map((rank) => groups[rank]!)),
    ];
    const first = (i: number) => groupsOf(i)[0];
    return {
      colour: (i) => {
        const g = group >= 0 && groupsOf(i).includes(group) ? group : first(i);
        return g === undefined ? colourOf("bubble") : seriesColour(g);
      },
      name: (i) => {
        const g = groupsOf(i);
        return g.length === 0 ? "no rank" : g.length < 4 ? `group ${g.join(", ")}` : `${g.length} groups`;
      },
      dim: (i) => (group >= 0 ? !groupsOf(i).includes(group) : groupsOf(i).length === 0),
      legend: [],
    };
  }
  const nameOf = colouring === "job" ? (i: number) => jobOf(nodes[i]!) : (i: number) => stateOf(nodes[i]!);
  const amounts = new Map<string, number>();
  nodes.forEach((_, i) => amounts.set(nameOf(i), (amounts.get(nameOf(i)) ?? 0) + 1));
  const sorted = [...amounts].sort((a, b) => b[1] - a[1]);
  const colours = new Map(
    sorted.map(([name], rank) => {
      if (colouring === "state") return [name, colourOf(stateColours[name] ?? "other")];
      return [
        name,
        name === "no job" ? colourOf("bubble") : rank < 9 ? seriesColour(rank) : colourOf("other"),
      ];
    }),
  );
  return {
    colour: (i) => colours.get(nameOf(i))!,
    name: nameOf,
    dim: never,
    legend: sorted.slice(0, 9).map(([name, n]) => [`${name} (${count(n)})`, colours.get(name)!]),
  };
}

/** Nodes as cells in the frames of their switches; a frame opens to names. */
export function NodeMap({
  topology,
  ink,
  find,
  node,
  onNode,
}: {
  topology: Topology;
  ink: Ink;
  find: string;
  node: number;
  onNode: (node: number) => void;
}) {
  const [open, setOpen] = useState<ReadonlySet<number>>(
    () => new Set(topology.groups.length === 1 && topology.nodes.length <= 64 ? [0] : []),
  );
  const words = find.trim().toLowerCase();
  const found = (i: number) =>
    words === "" ||
    topology.nodes[i]!.name.toLowerCase().includes(words) ||
    jobOf(topology.nodes[i]!).toLowerCase().includes(words);
  const strips = topology.nodes.length > cellsMax;
  const shown = useMemo(
    () =>
      topology.groups
        .map((group, g) => ({ group, g }))
        .filter(
          ({ group }) => words === "" || group.name.toLowerCase().includes(words) || group.nodes.some(found),
        ),
    [topology, words],
  );
  const toggle = (g: number) => {
    const next = new Set(open);
    next.has(g) ? next.delete(g) : next.add(g);
    setOpen(next);
  };
  return (
    <div class="groups">
      {shown.map(({ group, g }) => {
        const opened = open.has(g) || (words !== "" && shown.length <= 4);
        const title = [...group.path.slice(0, -1), group.name].join(" / ");
        return (
          <div key={g} class={opened ? "group open" : "group"}>
            <button onClick={() => toggle(g)} aria-expanded={opened} title={title}>
              <span aria-hidden="true">{opened ? "▾" : "▸"}</span>
              <span class="name">{group.name}</span>
              <span class="sum">
                {count(group.nodes.length)} node{group.nodes.length === 1 ? "" : "s"}
              </span>
            </button>
            {opened || !strips ? (
              <div class="cells">
                {group.nodes.map((i) => (
                  <button
                    key={i}
                    class={`${ink.dim(i) || !found(i) ? "dim" : ""} ${i === node ? "chosen" : ""}`}
                    style={{ background: ink.colour(i), color: opened ? inkOn(ink.colour(i)) : undefined }}
                    onClick={() => onNode(i)}
                    title={`${topology.nodes[i]!.name}: ${ink.name(i)}`}
                    aria-label={topology.nodes[i]!.name}
                  >
                    {opened ? topology.nodes[i]!.name : ""}
                  </button>
                ))}
              </div>
            ) : (
              <Strip group={group.nodes} ink={ink} />
            )}
          </div>
        );
      })}
      {shown.length === 0 && <p class="note">nothing matches</p>}
    </div>
  );
}

function Strip({ group, ink }: { group: number[]; ink: Ink }) {
  const shares = new Map<string, { n: number; name: string }>();
  for (const i of group) {
    const colour = ink.colour(i);
    const one = shares.get(colour) ?? { n: 0, name: ink.name(i) };
    one.n++;
    shares.set(colour, one);
  }
  return (
    <div class="strip">
      {[...shares]
        .sort((a, b) => b[1].n - a[1].n)
        .map(([colour, { n, name }]) => (
          <i
            key={colour}
            style={{ width: `${(n / group.length) * 100}%`, background: colour }}
            title={`${count(n)}: ${name}`}
          />
        ))}
    </div>
  );
}
