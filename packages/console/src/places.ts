/** The places of the console: addresses, names, and which permission shows them. */
import type { Permission } from '@etherloom/api';
import type { IconName } from './ui/icons.tsx';

export interface Place {
  readonly to: string;
  readonly name: string;
  readonly icon: IconName;
  /** Without it the place is not offered. */
  readonly permission: Permission | null;
}

export interface PlaceGroup {
  readonly name: string;
  readonly places: readonly Place[];
}

/** The rail, from top to bottom. */
export const PLACES: readonly PlaceGroup[] = [
  {
    name: 'Fabric',
    places: [
      { to: '/', name: 'Overview', icon: 'overview', permission: null },
      { to: '/networks', name: 'Networks', icon: 'network', permission: 'network:read' },
      { to: '/nodes', name: 'Nodes', icon: 'node', permission: 'node:read' },
      { to: '/topology', name: 'Topology', icon: 'topology', permission: 'node:read' },
      { to: '/join', name: 'Join a host', icon: 'join', permission: 'join_token:write' },
    ],
  },
  {
    name: 'Trust',
    places: [
      { to: '/activity', name: 'Activity', icon: 'activity', permission: 'audit:read' },
      { to: '/users', name: 'Users and roles', icon: 'user', permission: 'user:read' },
      { to: '/api-tokens', name: 'API tokens', icon: 'key', permission: 'api_token:read' },
      {
        to: '/identity',
        name: 'Single sign-on',
        icon: 'identity',
        permission: 'identity_provider:read',
      },
      { to: '/settings', name: 'Settings', icon: 'settings', permission: null },
    ],
  },
];
