/** Addresses of a network: the map of its IPv4 pool, what is in use, what is reserved. */
import type { Membership, Network, Node, Reservation } from '@etherloom/api';
import { useState } from 'react';
import type { CSSProperties, ReactElement } from 'react';
import { describeCell, mapAddresses } from '../addresses/address-map.ts';
import type { AddressMap, Cell, Taken } from '../addresses/address-map.ts';
import { useAct, useList } from '../api/calls.ts';
import { formatCount, formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import type { Why } from '../ui/confirm.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Form, SelectField, TextField, wrongOf } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { Card, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';

/** The tab. */
export function NetworkAddresses({ network }: { readonly network: Network }): ReactElement {
  const { can } = useSession();
  const params = { network: network.name };
  const members = useList('memberList', { params }, { limit: 1_000 });
  const reservations = useList('reservationList', { params }, { limit: 1_000 });
  const nodes = useList('nodeList', {}, { isNeeded: can('node:read'), limit: 1_000 });
  const names = new Map((nodes.items ?? []).map((node) => [node.id, node.name]));
  const taken = takenOf(members.items ?? [], reservations.items ?? [], names);
  const map = network.ipv4 === null ? null : mapAddresses(network.ipv4, taken);
  const [isReserving, setIsReserving] = useState(false);
  const [releasing, setReleasing] = useState<Reservation | null>(null);
  const reserve = (
    <button type="button" className="button small" onClick={() => setIsReserving(true)}>
      Reserve an address
    </button>
  );
  return (
    <div className="stack">
      <Card title={`IPv4 pool ${network.ipv4 ?? ''}`} isPadded>
        {map === null ? (
          <p className="soft">This network gives no IPv4 addresses.</p>
        ) : (
          <MapPicture map={map} />
        )}
      </Card>
      <Card title="Reservations" acts={can('address:write') ? reserve : undefined}>
        <Listed
          list={reservations}
          what="reservations"
          blank={
            <Blank title="Nothing is reserved">
              <p>A reserved address goes to the node that it is for, or to nobody.</p>
            </Blank>
          }
        >
          {(rows) => (
            <ReservationTable
              rows={rows}
              names={names}
              onRelease={can('address:write') ? setReleasing : null}
            />
          )}
        </Listed>
      </Card>
      {isReserving && (
        <Reserve
          network={network}
          nodes={nodes.items ?? []}
          onClose={() => setIsReserving(false)}
        />
      )}
      {releasing !== null && (
        <Release network={network} reservation={releasing} onClose={() => setReleasing(null)} />
      )}
    </div>
  );
}

/** An address that is reserved and in use counts as in use. */
function takenOf(
  members: readonly Membership[],
  reservations: readonly Reservation[],
  names: ReadonlyMap<string, string>,
): readonly Taken[] {
  const used = members.flatMap(({ addresses, nodeName }) =>
    addresses.map((address) => ({ address, nodeName, isReserved: false })),
  );
  const inUse = new Set(used.map(({ address }) => address));
  const kept = reservations
    .filter(({ address }) => !inUse.has(address))
    .map(({ address, nodeId }) => ({
      address,
      nodeName: nodeId === null ? null : (names.get(nodeId) ?? nodeId),
      isReserved: true,
    }));
  return [...used, ...kept];
}

function MapPicture({ map }: { readonly map: AddressMap }): ReactElement {
  const free = Math.max(0, map.size - map.usedCount - map.reservedCount);
  return (
    <>
      <p className="map-key">
        <span>
          <i className="cell used" /> {formatCount(map.usedCount)} in use
        </span>
        <span>
          <i className="cell reserved" /> {formatCount(map.reservedCount)} reserved
        </span>
        <span>
          <i /> {formatCount(free)} free
        </span>
        {map.cellSize > 1 && (
          <span>each square is {formatNumberOf(map.cellSize, 'address', 'addresses')}</span>
        )}
      </p>
      <div
        className="address-map"
        role="img"
        aria-label={`${map.usedCount} in use, ${map.reservedCount} reserved, ${free} free`}
      >
        {map.cells.map((cell) => (
          <div
            key={cell.first}
            className={`cell ${kindOf(cell)}`}
            title={describeCell(cell)}
            style={fullness(cell)}
          />
        ))}
      </div>
    </>
  );
}

/** How full a cell of several addresses is, for the style sheet. */
function fullness(cell: Cell): CSSProperties {
  const share = cell.taken.length / Math.max(1, cell.size);
  return { '--full': share } as CSSProperties; // a variable: React's types know properties alone
}

function kindOf(cell: Cell): string {
  if (cell.isFixed) return 'fixed';
  const [only] = cell.taken;
  if (only === undefined) return '';
  if (cell.size > 1) return 'part';
  return only.isReserved ? 'reserved' : 'used';
}

function ReservationTable(props: {
  readonly rows: readonly Reservation[];
  readonly names: ReadonlyMap<string, string>;
  readonly onRelease: ((row: Reservation) => void) | null;
}): ReactElement {
  const { names, onRelease } = props;
  const act = (row: Reservation): ReactElement => (
    <button
      type="button"
      className="button plain small"
      onClick={() => onRelease?.(row)}
      aria-label={`Release ${row.address}`}
    >
      Release
    </button>
  );
  return (
    <Table
      label="Reservations"
      rows={props.rows}
      keyOf={({ id }) => id}
      columns={[
        { name: 'Address', show: ({ address }) => <span className="mono">{address}</span> },
        {
          name: 'For',
          show: ({ nodeId }) =>
            nodeId === null ? <span className="soft">nobody</span> : (names.get(nodeId) ?? nodeId),
        },
        { name: 'Note', show: ({ note }) => note },
        { name: 'Since', show: ({ createdAt }) => <Time at={createdAt} /> },
        ...(onRelease === null ? [] : [{ name: 'Act', isActs: true, show: act }]),
      ]}
    />
  );
}

function Reserve(props: {
  readonly network: Network;
  readonly nodes: readonly Node[];
  readonly onClose: () => void;
}): ReactElement {
  const announce = useAnnounce();
  const act = useAct('reservationCreate');
  const [address, setAddress] = useState('');
  const [nodeId, setNodeId] = useState('');
  const [note, setNote] = useState('');
  const submit = async (): Promise<void> => {
    const body = { address: address.trim(), note, ...(nodeId === '' ? {} : { nodeId }) };
    if ((await act.run({ params: { network: props.network.id }, body })) === null) return;
    announce(`Reserved ${address}`);
    props.onClose();
  };
  const pool = [props.network.ipv4, props.network.ipv6].filter((prefix) => prefix !== null);
  return (
    <Dialog title="Reserve an address" onClose={props.onClose}>
      <Form
        submit="Reserve"
        isRunning={act.isRunning}
        error={act.error}
        onSubmit={() => void submit()}
        onCancel={props.onClose}
      >
        <TextField
          label="Address"
          value={address}
          onValue={setAddress}
          required
          autoFocus
          hint={`Of ${pool.join(' or ')}.`}
          wrong={wrongOf(act.error, 'address')}
        />
        <SelectField
          label="For"
          value={nodeId}
          onValue={setNodeId}
          options={[['', 'nobody'], ...props.nodes.map(({ id, name }) => [id, name] as const)]}
          hint="The node gets it when it joins this network."
        />
        <TextField label="Note" value={note} onValue={setNote} maxLength={200} />
      </Form>
    </Dialog>
  );
}

function Release(props: {
  readonly network: Network;
  readonly reservation: Reservation;
  readonly onClose: () => void;
}): ReactElement {
  const announce = useAnnounce();
  const act = useAct('reservationDelete');
  const { address, id } = props.reservation;
  const release = async (why: Why): Promise<void> => {
    const done = await act.run({ params: { network: props.network.id, reservation: id }, ...why });
    if (done === null) return;
    announce(`Released ${address}`);
    props.onClose();
  };
  return (
    <Confirm
      title={`Release ${address}?`}
      effects={[
        'The next member may get this address.',
        'Whoever has it already keeps it for as long as it is a member.',
      ]}
      verb="Release"
      isRunning={act.isRunning}
      error={act.error}
      onConfirm={(why) => void release(why)}
      onClose={props.onClose}
    />
  );
}
