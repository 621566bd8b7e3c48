/** Handlers: organizations. */
import type { ORGANIZATION_ROUTES } from '@etherloom/api';
import { deleteOrganization } from '../../store/organization-removal.ts';
import {
  createOrganization,
  listOrganizations,
  renameOrganization,
  showOrganization,
} from '../../store/organizations.ts';
import type { HandlersOf } from '../call.ts';

export const organizationHandlers: HandlersOf<keyof typeof ORGANIZATION_ROUTES> = {
  organizationList: ({ transact, query, principal }) => {
    const ids = principal?.isSystem === true ? undefined : [...(principal?.grants.keys() ?? [])];
    return transact((tx) => listOrganizations(tx, { ...query, ids }));
  },
  organizationCreate: ({ transact, body }) => transact((tx) => createOrganization(tx, body)),
  organizationShow: ({ transact, param }) =>
    transact((tx) => showOrganization(tx, param('organization'))),
  organizationRename: ({ transact, param, body }) =>
    transact((tx) => renameOrganization(tx, param('organization'), body.name)),
  organizationDelete: async ({ transact, param, principal }) => {
    if (principal === null) throw new Error('a route without a principal');
    await transact((tx) => deleteOrganization(tx, principal, param('organization')));
    return undefined;
  },
};
