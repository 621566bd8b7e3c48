/** The live picture of a network: who is where, how they reach each other, how much they say. */
import { useMemo, useState } from 'react';
import type { ReactElement } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useList, usePolledCall } from '../api/calls.ts';
import { formatNumberOf, formatRate, formatRtt } from '../format.ts';
import { makeGraph, pathsWith, rateOf } from '../topology/graph.ts';
import type { Graph, GraphNode, Reading } from '../topology/graph.ts';
import { layOut } from '../topology/layout.ts';
import { Picture } from '../topology/picture.tsx';
import { SelectField, TextField } from '../ui/form.tsx';
import { Icon } from '../ui/icons.tsx';
import { Card, Facts, PageHead, State } from '../ui/page.tsx';
import { Blank, Failed, Loading } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';

/** The page. */
export function TopologyPage(): ReactElement {
  const [search, setSearch] = useSearchParams();
  const networks = useList('networkList', {}, { limit: 1_000 });
  const names = (networks.items ?? []).map(({ name }) => name);
  const network = search.get('network') ?? names[0] ?? '';
  const isTable = search.get('as') === 'table';
  const [text, setText] = useState('');
  const set = (key: string, value: string | null): void => {
    const next = new URLSearchParams(search);
    if (value === null) next.delete(key);
    else next.set(key, value);
    setSearch(next, { replace: true });
  };
  return (
    <>
      <PageHead
        title="Topology"
        acts={
          <div className="switcher" role="group" aria-label="Show as">
            {(['picture', 'table'] as const).map((kind) => (
              <button
                key={kind}
                type="button"
                className="button"
                aria-pressed={isTable === (kind === 'table')}
                onClick={() => set('as', kind === 'table' ? 'table' : null)}
              >
                {kind === 'table' ? 'Table' : 'Picture'}
              </button>
            ))}
          </div>
        }
      />
      <div className="filters">
        <SelectField
          label="Network"
          value={network}
          onValue={(value) => set('network', value)}
          options={names.map((name) => [name, name] as const)}
        />
        <div className="field grows">
          <TextField
            label="Find"
            type="search"
            placeholder="Name, place or endpoint"
            value={text}
            onValue={setText}
          />
        </div>
      </div>
      {networks.error !== null && <Failed error={networks.error} onRetry={networks.retry} />}
      {networks.items?.length === 0 && (
        <div className="card">
          <Blank title="No network yet" icon="topology" />
        </div>
      )}
      {network !== '' && <Live key={network} network={network} isTable={isTable} text={text} />}
    </>
  );
}

interface Readings {
  readonly current: Reading | null;
  readonly earlier: Reading | null;
}

function Live(props: {
  readonly network: string;
  readonly isTable: boolean;
  readonly text: string;
}): ReactElement {
  const params = { network: props.network };
  const { data, error, retry, updatedAtMs } = usePolledCall('networkTopology', { params });
  // Two readings give a rate: the one before is kept.
  const [readings, setReadings] = useState<Readings>({ current: null, earlier: null });
  if (data !== undefined && readings.current?.topology !== data)
    setReadings({ current: { atMs: updatedAtMs, topology: data }, earlier: readings.current });
  const { current, earlier } = readings;
  const graph = useMemo(
    () => (current === null ? null : makeGraph(current, earlier)),
    [current, earlier],
  );
  if (graph === null) {
    return error === null ? (
      <Loading what="what the nodes say" />
    ) : (
      <Failed error={error} onRetry={retry} />
    );
  }
  if (graph.nodes.length === 0) {
    return (
      <div className="card">
        <Blank title="Nobody is here yet" icon="topology">
          <Link className="button" to={`/join?network=${props.network}`}>
            Join a host
          </Link>
        </Blank>
      </div>
    );
  }
  return (
    <div className="stack">
      {error !== null && <Failed error={error} onRetry={retry} />}
      {props.isTable ? (
        <GraphTable graph={graph} text={props.text} />
      ) : (
        <GraphPicture graph={graph} text={props.text} />
      )}
      {graph.hiddenCount > 0 && (
        <p className="soft">{formatNumberOf(graph.hiddenCount, 'further member')} not shown.</p>
      )}
    </div>
  );
}

/** Ids of nodes that are searched for; null: nothing is. */
function findIn(graph: Graph, text: string): ReadonlySet<string> | null {
  const word = text.trim().toLowerCase();
  if (word === '') return null;
  const isLike = ({ name, place, endpoint }: GraphNode): boolean =>
    [name, place, endpoint ?? ''].some((part) => part.includes(word));
  return new Set(graph.nodes.filter(isLike).map(({ id }) => id));
}

function GraphPicture({
  graph,
  text,
}: {
  readonly graph: Graph;
  readonly text: string;
}): ReactElement {
  const [chosen, setChosen] = useState<string | null>(null);
  // Positions hang on who is where and who talks with whom, not on how much.
  const shape = `${graph.nodes.map(({ id, place }) => id + place).join()}|${graph.paths.length}`;
  const [kept, setKept] = useState(() => ({ shape, layout: layOut(graph) }));
  if (kept.shape !== shape) setKept({ shape, layout: layOut(graph) });
  const node = graph.nodes.find(({ id }) => id === chosen);
  return (
    <div className="topology">
      <Picture
        graph={graph}
        layout={kept.layout}
        chosen={chosen}
        onChoose={setChosen}
        found={findIn(graph, text)}
      />
      <div className="legend">
        <State kind="good">online</State>
        <State kind="warn">some peers down</State>
        <State kind="bad">all peers down</State>
        <State kind="off">offline</State>
        <span className="path-mark">direct</span>
        <span className="path-mark relayed">relayed</span>
        <span>Thickness: throughput</span>
      </div>
      {node !== undefined && (
        <ChosenNode graph={graph} node={node} onClose={() => setChosen(null)} />
      )}
    </div>
  );
}

function ChosenNode(props: {
  readonly graph: Graph;
  readonly node: GraphNode;
  readonly onClose: () => void;
}): ReactElement {
  const { graph, node } = props;
  const paths = pathsWith(graph, node.id);
  const rate = rateOf(paths);
  const close = (
    <button type="button" className="button plain icon" aria-label="Close" onClick={props.onClose}>
      <Icon name="close" />
    </button>
  );
  return (
    <div className="chosen-node">
      <Card title={node.name} acts={close} isPadded>
        <Facts
          rows={[
            [
              'State',
              <State key="state" kind={node.kind}>
                {node.word}
              </State>,
            ],
            ['Place', node.place],
            ['Endpoint', <code key="endpoint">{node.endpoint ?? 'none'}</code>],
            ['Peers', `${node.peersUp} of ${node.peersTotal} up`],
            ['Throughput', rate === null ? 'after the next reading' : formatRate(rate)],
            ['Fastest path', fastest(paths.map(({ latencyMs }) => latencyMs))],
          ]}
        />
        <p className="spaced">
          <Link to={`/nodes/${node.name}`}>Open the node</Link>
        </p>
      </Card>
    </div>
  );
}

function fastest(latencies: readonly (number | null)[]): string {
  const known = latencies.filter((value) => value !== null);
  return known.length === 0 ? 'not measured' : formatRtt(Math.min(...known));
}

/** The same in words. */
function GraphTable({
  graph,
  text,
}: {
  readonly graph: Graph;
  readonly text: string;
}): ReactElement {
  const found = findIn(graph, text);
  const rows = found === null ? graph.nodes : graph.nodes.filter(({ id }) => found.has(id));
  const names = new Map(graph.nodes.map(({ id, name }) => [id, name]));
  const peersOf = (node: GraphNode): string =>
    pathsWith(graph, node.id)
      .filter(({ kind }) => kind !== 'down')
      .slice(0, 12)
      .map(({ a, b }) => names.get(a === node.id ? b : a) ?? '')
      .join(', ');
  return (
    <div className="card">
      <Table
        label="Topology"
        rows={rows}
        keyOf={({ id }) => id}
        columns={[
          { name: 'Node', show: ({ name }) => <Link to={`/nodes/${name}`}>{name}</Link> },
          { name: 'State', show: ({ kind, word }) => <State kind={kind}>{word}</State> },
          { name: 'Place', show: ({ place }) => <span className="mono">{place}</span> },
          {
            name: 'Peers up',
            isNumber: true,
            show: ({ peersUp, peersTotal }) => `${peersUp} of ${peersTotal}`,
          },
          { name: 'Paths to', show: peersOf },
          {
            name: 'Throughput',
            isNumber: true,
            show: (node) => {
              const rate = rateOf(pathsWith(graph, node.id));
              return rate === null ? '' : formatRate(rate);
            },
          },
        ]}
      />
    </div>
  );
}
