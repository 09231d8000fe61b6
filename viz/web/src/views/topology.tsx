import { useMemo } from "preact/hooks";
import { find, type Document } from "../data/documents";
import { readTimeline } from "../data/timeline";
import { atInterval, jobOf, readTopologies, stateOf, placeOf, type Topology } from "../data/topology";
import { bitRate, count, nanoseconds, percent } from "../format";
import { useHash } from "../ui/hash";
import { Choice, Panel, Term } from "../ui/panel";
import { DataTable, type Column } from "../ui/table";
import { Diagnostics } from "./step";
import { Survey } from "./survey";
import { inkOf, NodeMap, type Colouring } from "./topology_map";
import { NetworkPicture } from "./topology_network";

/** Rows of the table of links at most. */
const linksMax = 5000;

interface LinkRow {
  name: string;
  rail: number;
  rate: number;
  use: number | undefined;
  state: string;
}

function rowOf(topology: Topology, link: number): LinkRow {
  const { devices, links } = topology;
  return {
    name: `${devices[links.from[link]!]!.name} → ${devices[links.to[link]!]!.name}`,
    rail: placeOf(topology, link).rail,
    rate: links.rate[link]!,
    use: links.use?.[link],
    state: links.state.get(link) ?? "up",
  };
}

function linkColumns(topology: Topology): Column<LinkRow>[] {
  return [
    { title: "link", value: (r) => r.name },
    { title: "rail", value: (r) => (r.rail >= 0 ? r.rail : undefined), text: count, width: "4em" },
    { title: "rate", value: (r) => r.rate, text: (v) => bitRate(v), width: "8em" },
    ...(topology.links.use
      ? [{ title: "use", value: (r: LinkRow) => r.use, text: (v: number) => percent(v), width: "6em" }]
      : []),
    { title: "state", value: (r) => r.state, width: "6em" },
  ];
}

/** Those that are not up, then the busiest. */
function busiest(topology: Topology): LinkRow[] {
  const { links } = topology;
  const order = Uint32Array.from({ length: links.count }, (_, i) => i);
  const weight = (i: number) => (links.state.has(i) ? 2 : 0) + (links.use?.[i] ?? 0);
  order.sort((a, b) => weight(b) - weight(a) || a - b);
  return Array.from(order.subarray(0, linksMax), (i) => rowOf(topology, i));
}

function NodeDetails({ topology, index }: { topology: Topology; index: number }) {
  const node = topology.nodes[index]!;
  const { devices, links: all } = topology;
  const links: LinkRow[] = [];
  for (let i = 0; i < all.count; ++i)
    if (devices[all.from[i]!]!.node === index || devices[all.to[i]!]!.node === index)
      links.push(rowOf(topology, i));
  const ranks = topology.ranksOfNode.get(index) ?? [];
  const occupants = node.occupants ?? [];
  return (
    <div data-testid="node">
      <h3>{node.name}</h3>
      <dl class="facts">
        <dt>type</dt>
        <dd>
          {node.type ?? "unknown"}
          {node.gpu && `, ${node.gpus ?? "?"} × ${node.gpu}`}
        </dd>
        <dt>state</dt>
        <dd>
          {stateOf(node)}
          {node.free_gpus !== undefined && `, ${node.free_gpus} GPUs free`}
        </dd>
        {node.domains && node.domains.length > 0 && (
          <>
            <dt>under</dt>
            <dd>{node.domains.join(" / ")}</dd>
          </>
        )}
        {ranks.length > 0 && (
          <>
            <dt>ranks</dt>
            <dd>{ranks.join(", ")}</dd>
          </>
        )}
        {occupants.length > 0 && (
          <>
            <dt>runs</dt>
            <dd>{occupants.map((o) => `${o.job} (${o.gpus} GPUs)`).join(", ")}</dd>
          </>
        )}
      </dl>
      {links.length > 0 && (
        <DataTable name={`links of ${node.name}`} rows={links} columns={linkColumns(topology)} />
      )}
    </div>
  );
}

function Communicator({
  topology,
  communicator,
  group,
}: {
  topology: Topology;
  communicator: number;
  group: number;
}) {
  const ranks = topology.ranks!;
  const chosen = ranks.communicators[communicator]!;
  const members = chosen.groups.flatMap((g, rank) => (g === group ? [rank] : []));
  const nodes = new Set(members.map((rank) => ranks.node_of_rank[rank]!));
  return (
    <p data-testid="members">
      <Term of="communicator">{chosen.name}</Term>, group {group}: {count(members.length)} ranks on{" "}
      {count(nodes.size)} node{nodes.size === 1 ? "" : "s"}:{" "}
      {members
        .slice(0, 64)
        .map((rank) => `${rank} (${ranks.nodes[ranks.node_of_rank[rank]!]}/gpu-${ranks.gpu_of_rank[rank]})`)
        .join(", ")}
      {members.length > 64 && `, and ${count(members.length - 64)} more`}
    </p>
  );
}

function Rails({ topology }: { topology: Topology }) {
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

function Differences({ document }: { document: Document }) {
  const changes = document.changes as { kind: string; what: string }[];
  return (
    <Panel wide title={`${count(changes.length)} differences`}>
      <DataTable
        name="differences"
        search
        rows={changes}
        columns={[
          { title: "kind", value: (r) => r.kind, width: "12em" },
          { title: "what", value: (r) => r.what },
        ]}
      />
    </Panel>
  );
}

/** A moment of the step, or all of it. */
function Moment({
  intervals,
  step,
  value,
  onChange,
}: {
  intervals: number;
  /** nanoseconds */
  step: number;
  value: number;
  onChange: (interval: number) => void;
}) {
  const at = (interval: number) => nanoseconds((step * interval) / intervals);
  return (
    <label class="choice moment">
      <span>when</span>
      <input
        type="range"
        min={-1}
        max={intervals - 1}
        value={value}
        aria-label="moment of the step"
        onInput={(e) => onChange(Number(e.currentTarget.value))}
      />
      <output data-testid="moment">{value < 0 ? "whole step" : `${at(value)} to ${at(value + 1)}`}</output>
    </label>
  );
}

function Cluster({
  topology: whole,
  title,
  id,
  step,
}: {
  topology: Topology;
  title: string;
  id: string;
  /** nanoseconds; 0: no step was simulated */
  step: number;
}) {
  const [moment, setMoment] = useHash("moment", "-1");
  const topology = useMemo(() => atInterval(whole, Number(moment)), [whole, moment]);
  const anyJob = topology.nodes.some((node) => jobOf(node) !== "no job");
  const options: [string, string][] = [
    ...(topology.marks ? [["change", "what changed"] as [string, string]] : []),
    ["state", "state"],
    ...(anyJob ? [["job", "job"] as [string, string]] : []),
    ...(topology.links.use ? [["load", "link load"] as [string, string]] : []),
    ...(topology.ranks ? [["rank", "communicator"] as [string, string]] : []),
  ];
  const [colouring, setColouring] = useHash(
    `colour${id}`,
    topology.marks ? "change" : topology.links.use ? "load" : "state",
  );
  const [words, setWords] = useHash(`node${id}`, "");
  const [chosen, setChosen] = useHash(`at${id}`, "");
  const [communicator, setCommunicator] = useHash("communicator", "0");
  const [group, setGroup] = useHash("group", "0");
  const ink = useMemo(
    () => inkOf(topology, colouring as Colouring, Number(communicator), Number(group)),
    [topology, colouring, communicator, group],
  );
  const node = topology.nodes.findIndex((one) => one.name === chosen);
  const groups = topology.ranks
    ? Math.max(...(topology.ranks.communicators[Number(communicator)]?.groups ?? [0])) + 1
    : 0;
  const rows = useMemo(() => busiest(whole), [whole]);
  return (
    <>
      <Panel
        wide
        title={title}
        note={topology.sources}
        actions={
          <div class="controls">
            <Choice label="colour" value={colouring} options={options} onChange={setColouring} />
            {topology.courses && step > 0 && (
              <Moment
                intervals={topology.courses.intervals}
                step={step}
                value={Number(moment)}
                onChange={(interval) => setMoment(String(interval))}
              />
            )}
            {colouring === "rank" && topology.ranks && (
              <>
                <Choice
                  label="of"
                  value={communicator}
                  options={topology.ranks.communicators.map((one, i) => [
                    String(i),
                    `${one.name} (${one.ranks} ranks)`,
                  ])}
                  onChange={(v) => {
                    setCommunicator(v);
                    setGroup("0");
                  }}
                />
                <label class="choice">
                  <span>group</span>
                  <input
                    type="number"
                    min={-1}
                    max={groups - 1}
                    value={group}
                    style={{ width: "5.5em" }}
                    onInput={(e) => setGroup(e.currentTarget.value)}
                    title="-1: all"
                  />
                </label>
              </>
            )}
            <input
              type="search"
              data-search
              placeholder="node, switch or job"
              aria-label="find nodes"
              value={words}
              onInput={(e) => setWords(e.currentTarget.value)}
            />
          </div>
        }
      >
        <div class="legend">
          {ink.legend.map(([name, colour]) => (
            <span key={name}>
              <i class="swatch" style={{ background: colour }} />
              {name}
            </span>
          ))}
        </div>
        {colouring === "rank" && topology.ranks && Number(group) >= 0 && Number(group) < groups && (
          <Communicator topology={topology} communicator={Number(communicator)} group={Number(group)} />
        )}
        <NodeMap
          topology={topology}
          ink={ink}
          find={words}
          node={node}
          onNode={(i) => setChosen(topology.nodes[i]!.name)}
        />
        {node >= 0 && <NodeDetails topology={whole} index={node} />}
      </Panel>
      {topology.links.count > 0 && (
        <Panel
          wide
          title="Network"
          note={
            topology.marks
              ? "Switches and cables in the colours of the map above. Drag to move, wheel to zoom."
              : topology.links.use
                ? `Darker and wider: busier, as a share of the busiest${topology.links.scale ? " at any time" : ""}. Drag to move, wheel to zoom.`
                : "Drag to move, wheel to zoom."
          }
        >
          <NetworkPicture topology={topology} />
        </Panel>
      )}
      <Rails topology={whole} />
      {topology.links.count > 0 && (
        <Panel
          title="Links outside of nodes"
          note={
            topology.links.count > linksMax &&
            `The ${count(linksMax)} busiest of ${count(topology.links.count)}; a node shows all of its own.`
          }
        >
          <DataTable name="links" search rows={rows} columns={linkColumns(topology)} />
        </Panel>
      )}
      {topology.trouble.length > 0 && (
        <Panel wide title="Cables that are not as they should be">
          <DataTable
            name="cables"
            search
            rows={topology.trouble}
            columns={[
              { title: "cable", value: (r) => r.name },
              { title: "state", value: (r) => r.state },
              { title: "trouble", value: (r) => r.trouble },
            ]}
          />
        </Panel>
      )}
      <Diagnostics list={topology.notes} />
    </>
  );
}

export function TopologyView({ documents }: { documents: Document[] }) {
  const clusters = readTopologies(documents);
  const diff = find(documents, "foreshard.cluster_diff.v1");
  const survey = find(documents, "foreshard.survey.v1");
  const step = readTimeline(documents)?.end ?? 0;
  return (
    <div class="view">
      {diff && <Differences document={diff} />}
      {survey && <Survey document={survey} />}
      {clusters.map((topology, i) => (
        <Cluster
          key={i}
          topology={topology}
          step={step}
          id={i === 0 ? "" : String(i)}
          title={`${clusters.length > 1 ? (i === 0 ? "Before: " : "After: ") : ""}${count(topology.nodes.length)} nodes, ${count(topology.switches.length)} switches`}
        />
      ))}
    </div>
  );
}
