/** Which page stands at which address. What a role may not see is not there for it. */
import type { Permission } from '@etherloom/api';
import type { ReactElement, ReactNode } from 'react';
import { Link, Route, Routes } from 'react-router';
import { ProfilePage } from './pages/profile.tsx';
import { ActivityPage } from './pages/activity.tsx';
import { ApiTokensPage } from './pages/api-tokens.tsx';
import { IdentityPage } from './pages/identity.tsx';
import { JoinPage } from './pages/join.tsx';
import { NetworkPage } from './pages/network.tsx';
import { NetworksPage } from './pages/networks.tsx';
import { NodePage } from './pages/node.tsx';
import { NodesPage } from './pages/nodes.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { SettingsPage } from './pages/settings.tsx';
import { TopologyPage } from './pages/topology.tsx';
import { UsersPage } from './pages/users.tsx';
import { useSession } from './session.tsx';
import { Frame } from './ui/frame.tsx';
import { PageHead } from './ui/page.tsx';
import { Blank } from './ui/states.tsx';

/** All pages. */
export function Pages(): ReactElement {
  const only = (permission: Permission, page: ReactNode): ReactElement => (
    <Only permission={permission}>{page}</Only>
  );
  return (
    <Frame>
      <Routes>
        <Route index element={<OverviewPage />} />
        <Route path="networks" element={only('network:read', <NetworksPage />)} />
        <Route path="networks/:network/*" element={only('network:read', <NetworkPage />)} />
        <Route path="nodes" element={only('node:read', <NodesPage />)} />
        <Route path="nodes/:node" element={only('node:read', <NodePage />)} />
        <Route path="topology" element={only('node:read', <TopologyPage />)} />
        <Route path="join" element={only('join_token:write', <JoinPage />)} />
        <Route path="activity" element={only('audit:read', <ActivityPage />)} />
        <Route path="users" element={only('user:read', <UsersPage />)} />
        <Route path="api-tokens" element={only('api_token:read', <ApiTokensPage />)} />
        <Route path="identity" element={only('identity_provider:read', <IdentityPage />)} />
        <Route path="settings" element={<SettingsPage />} />
        <Route path="profile" element={<ProfilePage />} />
        <Route path="*" element={<Nowhere />} />
      </Routes>
    </Frame>
  );
}

function Only(props: {
  readonly permission: Permission;
  readonly children: ReactNode;
}): ReactElement {
  const { can, organization } = useSession();
  if (can(props.permission)) return <>{props.children}</>;
  return (
    <Blank title="Not for your role">
      <p>
        This page needs the permission <code>{props.permission}</code> in {organization}. An owner
        can give you a role that has it.
      </p>
    </Blank>
  );
}

function Nowhere(): ReactElement {
  return (
    <>
      <PageHead title="Nothing is here" />
      <Blank title="This address has no page">
        <Link className="button" to="/">
          Overview
        </Link>
      </Blank>
    </>
  );
}
