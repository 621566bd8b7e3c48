/**
 * The fingerprint of whatever certificate a server shows, for a person to compare. Nothing is sent
 * over the connection.
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { CliError } from './failure.ts';
import { CONTROLLER_TIMEOUT_MS } from './limits.ts';

/** Resolves to 64 lower-case hex digits. */
export function fetchFingerprint(url: string): Promise<string> {
  const { hostname, port, host: target } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false, // the person decides
    });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new CliError('no_answer', `${target} shows no certificate: ${why}`));
    };
    socket.setTimeout(CONTROLLER_TIMEOUT_MS, () =>
      fail(`no answer in ${CONTROLLER_TIMEOUT_MS / 1000} s`),
    );
    socket.once('error', (error) => fail(error.message));
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      if (certificate === undefined) return fail('it sent none');
      socket.destroy();
      resolve(createHash('sha256').update(certificate.raw).digest('hex'));
    });
  });
}
