/** Handlers: join tokens. */
import type { JOIN_TOKEN_ROUTES } from '@etherloom/api';
import { encodeJoinToken } from '@etherloom/api';
import { createJoinToken, deleteJoinToken, listJoinTokens } from '../../store/join-tokens.ts';
import type { HandlerDeps, HandlersOf } from '../call.ts';

export function joinTokenHandlers(deps: HandlerDeps): HandlersOf<keyof typeof JOIN_TOKEN_ROUTES> {
  return {
    tokenList: ({ transact, query }) => transact((tx) => listJoinTokens(tx, query)),
    tokenCreate: async ({ transact, body }) => {
      const made = await transact((tx) => createJoinToken(tx, body));
      const token = encodeJoinToken({
        urls: deps.joinUrls(),
        tlsFingerprint: deps.tlsFingerprint,
        networkName: made.networkName,
        tokenId: made.row.id,
        secret: made.secret,
        authorityHash: made.authorityHash,
        voucher: made.voucher,
      });
      return { ...made.row, token };
    },
    tokenDelete: async ({ transact, param }) =>
      void (await transact((tx) => deleteJoinToken(tx, param('token')))),
  };
}
