/** Addresses of a network: the map of its IPv4 pool, what is in use, what is reserved. */
import type { Membership, Network, Reservation } from '@etherloom/api';
import { useState } from 'react';
import type { CSSProperties, ReactElement } from 'react';
import { describeCell, mapAddresses } from '../addresses/address-map.ts';
import type { AddressMap, Cell, Taken } from '../addresses/address-map.ts';
import { useAct, useList, usePages, useWhole } from '../api/calls.ts';
import { client } from '../api/client.ts';
import { isMissing } from '../api/errors.ts';
import { formatCount, formatNumberOf } from '../format.ts';
import { SUGGESTIONS_MAX } from '../limits.ts';
import { textQuery } from '../node-filter.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Form, TextField, wrongOf } from '../ui/form.tsx';
import { Card, Time } from '../ui/page.tsx';
import { Paged } from '../ui/paged.tsx';
import { useSettled } from '../ui/settled.ts';
import { Blank, Failed, Loading } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { useNodeNames } from './node-names.ts';

/** The tab. */
export function NetworkAddresses({ network }: { readonly network: Network }): ReactElement {
  const { can } = useSession();
  const params = { network: network.name };
  const reservations = usePages('reservationList', { params });
  const names = useNodeNames((reservations.items ?? []).flatMap(({ nodeId }) => nodeId ?? []));
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
        {network.ipv4 === null ? (
          <p className="soft">This network gives no IPv4 addresses.</p>
        ) : (
          <Pool network={network} pool={network.ipv4} names={names} />
        )}
      </Card>
      <Card title="Reservations" acts={can('address:write') ? reserve : undefined}>
        <Paged
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
        </Paged>
      </Card>
      {isReserving && <Reserve network={network} onClose={() => setIsReserving(false)} />}
      {releasing !== null && (
        <Release network={network} reservation={releasing} onClose={() => setReleasing(null)} />
      )}
    </div>
  );
}

/** Made of every member and reservation: a part of them would be a wrong picture. */
function Pool(props: {
  readonly network: Network;
  readonly pool: string;
  readonly names: ReadonlyMap<string, string>;
}): ReactElement | null {
  const params = { network: props.network.name };
  const members = useWhole('memberList', { params });
  const reservations = useWhole('reservationList', { params });
  if (members.data === undefined || reservations.data === undefined) {
    const error = members.error ?? reservations.error;
    if (error === null) return <Loading what="addresses" />;
    const retry = (): void => {
      members.retry();
      reservations.retry();
    };
    return <Failed error={error} onRetry={retry} />;
  }
  const map = mapAddresses(props.pool, takenOf(members.data, reservations.data, props.names));
  return map === null ? null : <MapPicture map={map} />;
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

function Reserve(props: { readonly network: Network; readonly onClose: () => void }): ReactElement {
  const announce = useAnnounce();
  const act = useAct('reservationCreate');
  const [address, setAddress] = useState('');
  const [holder, setHolder] = useState('');
  const [trouble, setTrouble] = useState<unknown>(null);
  const [note, setNote] = useState('');
  const submit = async (): Promise<void> => {
    const found = await findNodeId(holder.trim()).catch((error: unknown) => ({ error }));
    setTrouble('error' in found ? found.error : null);
    if ('error' in found) return;
    const body = { address: address.trim(), note, ...found };
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
        error={isMissing(trouble) ? null : (trouble ?? act.error)}
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
        <NodeField
          value={holder}
          onValue={setHolder}
          wrong={isMissing(trouble) ? 'No node has this name.' : wrongOf(act.error, 'nodeId')}
        />
        <TextField label="Note" value={note} onValue={setNote} maxLength={200} />
      </Form>
    </Dialog>
  );
}

/** A node by its name: those that are like what is typed are offered. */
function NodeField(props: {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly wrong: string | undefined;
}): ReactElement {
  const { can } = useSession();
  const query = textQuery(useSettled(props.value));
  const isNeeded = can('node:read');
  const nodes = useList(
    'nodeList',
    { query },
    { isNeeded, limit: SUGGESTIONS_MAX, isFiltered: true },
  );
  return (
    <div className="field">
      <TextField
        label="For"
        {...props}
        list="nodes-like-it"
        spellCheck={false}
        placeholder="nobody"
        hint="Name of a node, which gets the address when it joins this network."
      />
      <datalist id="nodes-like-it">
        {(nodes.items ?? []).map(({ id, name }) => (
          <option key={id} value={name}>
            {name}
          </option>
        ))}
      </datalist>
    </div>
  );
}

/** The node of a name or an id, as a reservation names it; of an empty one: nobody. */
async function findNodeId(name: string): Promise<{ readonly nodeId?: string }> {
  if (name === '') return {};
  return { nodeId: (await client.call('nodeShow', { params: { node: name } })).id };
}

function Release(props: {
  readonly network: Network;
  readonly reservation: Reservation;
  readonly onClose: () => void;
}): ReactElement {
  const { address, id } = props.reservation;
  return (
    <Confirm
      route="reservationDelete"
      options={{ params: { network: props.network.id, reservation: id } }}
      title={`Release ${address}?`}
      effects={[
        'The next member may get this address.',
        'Whoever has it already keeps it for as long as it is a member.',
      ]}
      verb="Release"
      done={`Released ${address}`}
      onClose={props.onClose}
    />
  );
}
