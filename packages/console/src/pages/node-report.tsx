/** What a node says of itself at this moment: sessions with its peers, counters, drops, log. */
import type { Node, NodeReport, PathReport } from '@etherloom/api';
import type { ReactElement } from 'react';
import { Link } from 'react-router';
import { usePolledCall } from '../api/calls.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRtt,
  formatTime,
  shorten,
} from '../format.ts';
import { Card, Facts, State, Time } from '../ui/page.tsx';
import { Blank, Failed, Loading, Notice } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { useNodeNames } from './node-names.ts';

/** The cards. */
export function NodeReportCards({ node }: { readonly node: Node }): ReactElement {
  const { data, error, retry } = usePolledCall('nodeReport', { params: { node: node.id } });
  const names = useNodeNames(data?.report?.peers.map(({ nodeId }) => nodeId) ?? []);
  if (data === undefined) {
    return error === null ? (
      <Loading what={`what ${node.name} says`} />
    ) : (
      <Failed error={error} onRetry={retry} />
    );
  }
  if (data.report === null) {
    return (
      <Card title="Sessions and counters">
        <Blank title="It says nothing at this moment">
          <p>{data.reason}</p>
        </Blank>
      </Card>
    );
  }
  return (
    <div className="stack">
      {data.reason !== null && (
        <Notice kind="warn">
          What follows is of <Time at={data.at} />: {data.reason}
        </Notice>
      )}
      <Peers report={data.report} names={names} />
      <div className="columns">
        <Traffic report={data.report} node={node} />
        <Drops report={data.report} />
      </div>
      <Log report={data.report} />
    </div>
  );
}

const KINDS = { up: 'good', connecting: 'warn', down: 'bad', 'no-endpoint': 'off' } as const;

function Peers(props: {
  readonly report: NodeReport;
  readonly names: ReadonlyMap<string, string>;
}): ReactElement {
  const { report, names } = props;
  const nameOf = ({ nodeId }: PathReport): string => names.get(nodeId) ?? shorten(nodeId);
  return (
    <Card
      title={`Sessions: ${formatCount(report.peersUp)} of ${formatCount(report.peersTotal)} up`}
      about="How it reaches its peers; the busiest first."
    >
      {report.peers.length === 0 ? (
        <Blank title="No peer yet" />
      ) : (
        <Table
          label="Sessions"
          rows={report.peers}
          keyOf={({ nodeId }) => nodeId}
          columns={[
            {
              name: 'Peer',
              show: (peer) => <Link to={`/nodes/${peer.nodeId}`}>{nameOf(peer)}</Link>,
            },
            {
              name: 'Session',
              show: ({ state }) => <State kind={KINDS[state]}>{state.replace('-', ' ')}</State>,
            },
            { name: 'Path', show: ({ path }) => path },
            { name: 'Endpoint', show: ({ endpoint }) => <code>{endpoint ?? ''}</code> },
            {
              name: 'Round trip',
              isNumber: true,
              show: ({ latencyMs }) => (latencyMs === null ? '' : formatRtt(latencyMs)),
            },
            { name: 'Sent', isNumber: true, show: ({ sentBytes }) => formatBytes(sentBytes) },
            {
              name: 'Received',
              isNumber: true,
              show: ({ receivedBytes }) => formatBytes(receivedBytes),
            },
            {
              name: 'Keys are',
              isNumber: true,
              show: ({ sessionAgeMs }) =>
                sessionAgeMs === null ? '' : `${formatDuration(sessionAgeMs / 1_000)} old`,
            },
          ]}
        />
      )}
    </Card>
  );
}

function Traffic({
  report,
  node,
}: {
  readonly report: NodeReport;
  readonly node: Node;
}): ReactElement {
  const nameOf = (id: string): string =>
    node.memberships.find(({ networkId }) => networkId === id)?.networkName ?? id;
  return (
    <Card title="Host">
      <div className="inside">
        <Facts
          rows={[
            ['Agent', `version ${report.version}, UDP port ${report.port}`],
            [
              'Data path',
              <State key="state" kind={report.datapath.running ? 'good' : 'bad'}>
                {report.datapath.running ? 'runs' : 'does not run'}, {report.datapath.restarts}{' '}
                restarts, {report.datapath.lanes} lanes
              </State>,
            ],
          ]}
        />
      </div>
      <Table
        label="Traffic by network"
        rows={report.networks}
        keyOf={({ networkId }) => networkId}
        columns={[
          { name: 'Network', show: ({ networkId }) => nameOf(networkId) },
          { name: 'Interface', show: (network) => <code>{network.interface}</code> },
          { name: 'Sent', isNumber: true, show: ({ sentBytes }) => formatBytes(sentBytes) },
          {
            name: 'Received',
            isNumber: true,
            show: ({ receivedBytes }) => formatBytes(receivedBytes),
          },
        ]}
      />
    </Card>
  );
}

function Drops({ report }: { readonly report: NodeReport }): ReactElement {
  const rows = Object.entries(report.drops).toSorted(([, a], [, b]) => b - a);
  return (
    <Card title="Dropped frames" about="Since the data path began, by reason.">
      {rows.length === 0 ? (
        <Blank title="None" />
      ) : (
        <Table
          label="Dropped frames"
          rows={rows}
          keyOf={([reason]) => reason}
          columns={[
            { name: 'Reason', show: ([reason]) => reason.replaceAll('_', ' ') },
            { name: 'Frames', isNumber: true, show: ([, count]) => formatCount(count) },
          ]}
        />
      )}
    </Card>
  );
}

function Log({ report }: { readonly report: NodeReport }): ReactElement | null {
  if (report.log.length === 0) return null;
  return (
    <Card title="Log of the agent" about="The newest first; the word of that host.">
      <div className="scroll">
        <table className="diff">
          <caption className="unseen">Log of the agent</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Level</th>
              <th scope="col">Message</th>
            </tr>
          </thead>
          <tbody>
            {report.log.toReversed().map((line, index) => (
              <tr key={`${line.time} ${index}`}>
                <td className="nowrap">{formatTime(line.time)}</td>
                <td>{line.level}</td>
                <td>{line.message}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
