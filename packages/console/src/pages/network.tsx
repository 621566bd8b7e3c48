/** One network: its members, its addresses, its settings. Each part has an address of its own. */
import type { ReactElement } from 'react';
import { Link, Navigate, Route, Routes, useParams } from 'react-router';
import { useCall } from '../api/calls.ts';
import { isMissing } from '../api/errors.ts';
import { formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { Icon } from '../ui/icons.tsx';
import { PageHead, Tabs } from '../ui/page.tsx';
import { Blank, Failed, Loading, Notice } from '../ui/states.tsx';
import { NetworkAddresses } from './network-addresses.tsx';
import { NetworkMembers } from './network-members.tsx';
import { NetworkSettingsTab } from './network-settings.tsx';

/** The page. */
export function NetworkPage(): ReactElement {
  const { can } = useSession();
  const { network: name = '' } = useParams();
  const { data: network, error, retry } = useCall('networkShow', { params: { network: name } });
  if (network === undefined) {
    if (error === null) return <Loading what={name} />;
    if (!isMissing(error)) return <Failed error={error} onRetry={retry} />;
    return (
      <Blank title={`There is no network ${name}`} icon="network">
        <Link className="button" to="/networks">
          All networks
        </Link>
      </Blank>
    );
  }
  const base = `/networks/${encodeURIComponent(name)}`;
  const join = (
    <Link className="button primary" to={`/join?network=${encodeURIComponent(network.name)}`}>
      <Icon name="join" /> Join a host
    </Link>
  );
  return (
    <>
      <PageHead title={network.name} acts={can('join_token:write') ? join : undefined}>
        <p>
          {formatNumberOf(network.memberCount, 'member')} · VNI{' '}
          <span className="mono">{network.vni}</span> · MTU {network.mtuBytes} bytes
        </p>
      </PageHead>
      {network.isPending && (
        <Notice kind="warn">
          Changes of this network wait for signatures of the authority: see{' '}
          <Link to="/settings">settings</Link>.
        </Notice>
      )}
      <Tabs
        label="Parts of the network"
        items={[
          [base, 'Members'],
          ...(can('address:read') ? [[`${base}/addresses`, 'Addresses'] as const] : []),
          [`${base}/settings`, 'Settings'],
        ]}
      />
      <Routes>
        <Route index element={<NetworkMembers network={network} />} />
        <Route path="addresses" element={<NetworkAddresses network={network} />} />
        <Route path="settings" element={<NetworkSettingsTab network={network} />} />
        <Route path="*" element={<Navigate to={base} replace />} />
      </Routes>
    </>
  );
}
