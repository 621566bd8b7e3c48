/** Handlers: networks, their members and reserved addresses. */
import { deleteMember, listMembers } from '../../store/members.ts';
import {
  createNetwork,
  deleteNetwork,
  listNetworks,
  setNetworkSettings,
  showNetwork,
} from '../../store/networks.ts';
import {
  createReservation,
  deleteReservation,
  listReservations,
} from '../../store/reservations.ts';
import type { NETWORK_ROUTES } from '@etherloom/api';
import type { HandlersOf } from '../call.ts';

export const networkHandlers: HandlersOf<keyof typeof NETWORK_ROUTES> = {
  networkList: ({ transact, query }) => transact((tx) => listNetworks(tx, query)),
  networkCreate: ({ transact, body }) => transact((tx) => createNetwork(tx, body)),
  networkShow: ({ transact, param }) => transact((tx) => showNetwork(tx, param('network'))),
  networkSettings: ({ transact, param, body }) =>
    transact((tx) => setNetworkSettings(tx, param('network'), body)),
  networkDelete: async ({ transact, param }) =>
    void (await transact((tx) => deleteNetwork(tx, param('network')))),
  memberList: ({ transact, param, query }) =>
    transact((tx) => listMembers(tx, param('network'), query)),
  memberDelete: async ({ transact, param }) =>
    void (await transact((tx) => deleteMember(tx, param('network'), param('node')))),
  reservationList: ({ transact, param, query }) =>
    transact((tx) => listReservations(tx, param('network'), query)),
  reservationCreate: ({ transact, param, body }) =>
    transact((tx) => createReservation(tx, param('network'), body)),
  reservationDelete: async ({ transact, param }) =>
    void (await transact((tx) => deleteReservation(tx, param('network'), param('reservation')))),
};
