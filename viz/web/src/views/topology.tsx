import { useMemo } from "preact/hooks";
import { find, type Document } from "../data/documents";
import { readTimeline } from "../data/timeline";
import { atInterval, jobOf, readTopologies, stateOf, type Topology } from "../data/topology";
import { count, nanoseconds } from "../format";
import { useHash } from "../ui/hash";
import { Choice, Panel, Term } from "../ui/panel";
import { DataTable } from "../ui/table";
import { Diagnostics } from "./step";
import { Survey } from "./survey";
import { busiest, linkColumns, linksMax, Rails, rowOf, type LinkRow } from "./topology_links";
import { inkOf, NodeMap, type Colouring } from "./topology_map";
import { NetworkPicture } from "./topology_network";

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
  const long = step / intervals;
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
      <output data-testid="moment">{value < 0 ? "whole step" : `${nanoseconds(value * long)}, for ${nanoseconds(long)}`}</output>
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
                ? `Stronger and wider: busier, as a share of the busiest${topology.links.scale ? " at any time" : ""}. Drag to move, wheel to zoom.`
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
