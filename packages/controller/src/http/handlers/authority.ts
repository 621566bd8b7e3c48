/** Handlers: the authority of an organization. */
import type { AUTHORITY_ROUTES, CallReply } from '@etherloom/api';
import { listPending } from '../../authority/pending-list.ts';
import {
  addSignatures,
  prepareKeys,
  proposeAuthority,
  showAuthority,
} from '../../authority/proposals.ts';
import type { Call, HandlerDeps, HandlersOf } from '../call.ts';

export function authorityHandlers(deps: HandlerDeps): HandlersOf<keyof typeof AUTHORITY_ROUTES> {
  return {
    authorityShow: ({ transact, param }) =>
      transact((tx) => showAuthority(tx, param('organization'))),
    authorityKeys: ({ transact, param }) =>
      transact((tx) => prepareKeys(tx, param('organization'))),
    authorityPropose: (call) => handleProposal(deps, call),
    authorityPending: ({ transact, param, query }) =>
      transact((tx) => listPending(tx, param('organization'), query)),
    authoritySign: (call) => handleSignatures(deps, call),
  };
}

async function handleProposal(
  { log }: HandlerDeps,
  { transact, param, body, source }: Call<'authorityPropose'>,
): Promise<CallReply<'authorityPropose'>> {
  const view = await transact((tx) => proposeAuthority(tx, param('organization'), body));
  const { organizationId, version, custody, hash } = view;
  log.info(
    { organizationId, version, custody, hash, source },
    'a version of the authority was proposed',
  );
  return view;
}

async function handleSignatures(
  { log }: HandlerDeps,
  { transact, param, body, source }: Call<'authoritySign'>,
): Promise<CallReply<'authoritySign'>> {
  const reply = await transact((tx) => addSignatures(tx, param('organization'), body.signatures));
  const keys = [...new Set(body.signatures.map(({ key }) => key))];
  log.info(
    { organization: param('organization'), keys, source, ...reply },
    'statements were signed',
  );
  return reply;
}
