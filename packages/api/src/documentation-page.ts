/**
 * The documentation page of the API, made of the same table as the server. Plain HTML without
 * scripts and without anything loaded from elsewhere, so that it reads the same in a closed network
 * and can be served under the strictest content policy.
 */
import { renderRoles } from './documentation-roles.ts';
import { DOCUMENTATION_STYLE } from './documentation-style.ts';
import { ERRORS } from './errors.ts';
import type { JsonObject } from './openapi.ts';
import { bodyJsonSchema } from './openapi.ts';
import { parametersOf, pathParameters } from './openapi-parameters.ts';
import { errorsOf } from './route-facts.ts';
import type { Route, RouteName } from './routes.ts';
import { ROUTES } from './routes.ts';

export interface DocumentationOptions {
  readonly version: string;
  readonly serverUrl: string;
  readonly tlsFingerprint: string;
}

/** Bodies of the examples; a test parses each with its route's schema. */
export const EXAMPLE_BODIES: Readonly<Partial<Record<RouteName, JsonObject>>> = {
  organizationCreate: { name: 'acme' },
  organizationRename: { name: 'acme-gmbh' },
  setupCreate: { code: 'the-code-printed', name: 'anna', password: 'correct horse battery' },
  sessionCreate: { name: 'anna', password: 'correct horse battery' },
  passwordChange: { current: 'correct horse battery', password: 'staple correct horse' },
  loginToken: { name: 'anna', password: 'correct horse battery', tokenName: 'laptop' },
  userCreate: { name: 'ben', password: 'correct horse battery', roles: ['operator'] },
  userRoles: { roles: ['admin'] },
  userPassword: { password: 'staple correct horse' },
  userSystem: { isSystemAdministrator: true },
  apiTokenCreate: { name: 'ci', role: 'operator', scopes: ['join_token:write'] },
  identityProviderCreate: {
    name: 'Company',
    issuer: 'https://id.example.com',
    clientId: 'etherloom',
    clientSecret: 'S3cret',
    groupRoles: [{ group: 'network-team', role: 'admin' }],
  },
  identityProviderChange: { groupRoles: [{ group: 'network-team', role: 'operator' }] },
  authorityPropose: {
    statement: '{"type":"authority"}',
    signatures: [{ key: `${'B'.repeat(42)}A`, signature: 'D'.repeat(86) }],
  },
  authoritySign: {
    signatures: [{ hash: '0'.repeat(64), key: `${'B'.repeat(42)}A`, signature: 'D'.repeat(86) }],
  },
  ledgerChange: { auditDays: 730 },
  networkSettings: { clones: 'reject', stalenessDays: 14 },
  networkCreate: { name: 'demo', ipv4: '10.1.0.0/24', mtuBytes: 1370 },
  reservationCreate: { address: '10.1.0.10', note: 'printer' },
  tokenCreate: { network: 'demo', label: 'web', uses: 3, lifetimeSeconds: 3600 },
  join: {
    tokenId: 'tok_0123456789abcdefghij',
    network: 'demo',
    secret: 'A'.repeat(43),
    nodeId: '0123456789abcdef0123456789abcdef',
    name: 'web-1',
    nameIsSuggestion: true,
    signKey: `${'B'.repeat(42)}A`,
    sessionKey: `${'C'.repeat(42)}A`,
    signature: 'D'.repeat(86),
  },
  split: {
    ticket: 'A'.repeat(43),
    originNodeId: '0123456789abcdef0123456789abcdef',
    nodeId: 'fedcba9876543210fedcba9876543210',
    signKey: `${'B'.repeat(42)}A`,
    sessionKey: `${'C'.repeat(42)}A`,
    signature: 'D'.repeat(86),
  },
};

const EXAMPLE_PARAMETERS: Readonly<Record<string, string>> = {
  organization: 'default',
  network: 'demo',
  node: 'web-1',
  reservation: 'rsv_0123456789abcdefghij',
  token: 'tok_0123456789abcdefghij',
  user: 'anna',
  session: 'ses_0123456789abcdefghij',
  apiToken: 'atk_0123456789abcdefghij',
  provider: 'idp_0123456789abcdefghij',
  identityProvider: 'idp_0123456789abcdefghij',
};

const SECTIONS = [
  ['organizations', 'Organizations'],
  ['networks', 'Networks, members, reservations'],
  ['nodes', 'Nodes'],
  ['node-counts', 'Counts of nodes'],
  ['tokens', 'Join tokens'],
  ['join', 'Joining'],
  ['split', 'Clones'],
  ['setup', 'First user'],
  ['session', 'Session'],
  ['sessions', 'Sessions'],
  ['login', 'Logging in'],
  ['users', 'Users'],
  ['api-tokens', 'API tokens'],
  ['identity-providers', 'Identity providers'],
  ['audit', 'Ledger'],
  ['watch', 'Watch'],
  ['health', 'Health'],
  ['ready', 'Readiness'],
] as const;

/** The whole page. */
export function renderDocumentationPage(options: DocumentationOptions): string {
  const routes = Object.entries(ROUTES) as [RouteName, Route][]; // keys of the table itself
  const sections = SECTIONS.map(([folder, title]) => ({
    id: folder,
    title,
    routes: routes.filter(([, route]) => route.path.split('/')[2] === folder),
  }));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>etherloom controller API</title>
<style>${DOCUMENTATION_STYLE}</style>
</head>
<body>
<header>
<h1>etherloom controller API</h1>
<p>Version ${escapeHtml(options.version)} · <a href="/v1/openapi.json">OpenAPI 3.1 document</a></p>
</header>
<nav aria-label="Contents"><ul>
<li><a href="#begin">Begin</a></li>
<li><a href="#roles">Credentials and roles</a></li>
${sections.map((section) => `<li><a href="#${section.id}">${section.title}</a></li>`).join('\n')}
<li><a href="#errors">Errors</a></li>
</ul></nav>
<main>
${renderBegin(options)}
${renderRoles()}
${sections.map(renderSection).join('\n')}
${renderErrors()}
</main>
</body>
</html>
`;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly routes: readonly [RouteName, Route][];
}

function renderSection({ id, title, routes }: Section): string {
  return `<section id="${id}"><h2>${title}</h2>
${routes.map(renderRoute).join('\n')}
</section>`;
}

function renderBegin(options: DocumentationOptions): string {
  const commands = [
    `export LOOM_URL=${options.serverUrl}`,
    'export LOOM_TOKEN="$(cat DIR/admin.token)"',
    'alias loomcurl=\'curl --cacert DIR/tls.crt -H "Authorization: Bearer $LOOM_TOKEN"\'',
    'loomcurl "$LOOM_URL/v1/networks"',
  ];
  return `<section id="begin"><h2>Begin</h2>
<p>Requests and replies are JSON over HTTPS. DIR is the controller's data directory (<code>--data</code>): it holds the certificate to
trust and the administrator's token. Operations marked <span class="tag">admin</span> need the token; the others answer anybody who
reaches the port.</p>
<pre><code>${escapeHtml(commands.join('\n'))}</code></pre>
<p>SHA-256 fingerprint of the certificate, for <code>loom login --tls-fingerprint</code>:</p>
<pre><code>${escapeHtml(options.tlsFingerprint)}</code></pre>
<p><code>{network}</code> and <code>{node}</code> take an id or a name. Every reply carries its request id in the header
<code>x-request-id</code>; an error repeats it in its body.</p>
</section>`;
}

function renderRoute([name, route]: [RouteName, Route]): string {
  return `<article id="${name}">
<h3><span class="method ${route.method.toLowerCase()}">${route.method}</span> <code>${escapeHtml(route.path)}</code>${permissionTag(route)}</h3>
<p>${escapeHtml(route.summary)}. Answers ${route.status}${route.reply === null ? ' without a body' : ''}.</p>
${route.body === undefined ? '' : renderFields(bodyJsonSchema(route.body))}
<pre><code>${escapeHtml(renderCurl(name, route))}</code></pre>
${renderParameters(route)}
<p class="errors">Errors: ${[...errorsOf(route)].map((code) => `<a href="#error-${code}"><code>${code}</code></a>`).join(', ')}</p>
</article>`;
}

/** Query parameters and headers; those of the path stand in it. */
function renderParameters(route: Route): string {
  const names = parametersOf(route)
    .filter((parameter) => parameter['in'] !== 'path')
    .map(({ name, in: place }) => `<code>${escapeHtml(String(name))}</code> (${String(place)})`);
  return names.length === 0 ? '' : `<p class="errors">Optional: ${names.join(', ')}</p>`;
}

function renderCurl(name: RouteName, route: Route): string {
  const path = pathParameters(route.path).reduce(
    (text, key) => text.replace(`{${key}}`, EXAMPLE_PARAMETERS[key] ?? 'ID'),
    route.path,
  );
  const program = route.permission !== null ? 'loomcurl' : 'curl --cacert DIR/tls.crt';
  const method = route.method === 'GET' ? '' : ` -X ${route.method}`;
  const body = EXAMPLE_BODIES[name];
  const data =
    body === undefined
      ? ''
      : ` \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body)}'`;
  return `${program}${method} "$LOOM_URL${path}"${data}`;
}

function renderFields(schema: JsonObject): string {
  const properties = (schema['properties'] ?? {}) as Record<string, JsonObject>; // of an object
  const required = new Set((schema['required'] ?? []) as string[]); // names
  const rows = Object.entries(properties).map(([name, field]) =>
    renderFieldRow(name, field, required.has(name)),
  );
  return `<div class="scroll"><table>
<thead><tr><th scope="col">field</th><th scope="col">type</th><th scope="col"></th>
<th scope="col">meaning</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function renderFieldRow(name: string, field: JsonObject, isRequired: boolean): string {
  return `<tr><th scope="row"><code>${escapeHtml(name)}</code></th>
<td>${escapeHtml(describeType(field))}</td>
<td>${isRequired ? 'required' : 'optional'}</td>
<td>${escapeHtml(describeField(field))}</td></tr>`;
}

function describeType(field: JsonObject): string {
  const variants = (field['anyOf'] ?? []) as JsonObject[]; // schemas, by JSON Schema
  if (variants.length > 0) return variants.map(describeType).join(' or ');
  const format = typeof field['format'] === 'string' ? ` (${field['format']})` : '';
  return `${typeof field['type'] === 'string' ? field['type'] : 'any'}${format}`;
}

function describeField(field: JsonObject): string {
  const words: string[] = [];
  if (typeof field['description'] === 'string') words.push(field['description']);
  if (field['default'] !== undefined) words.push(`default ${JSON.stringify(field['default'])}`);
  if (typeof field['minimum'] === 'number' && typeof field['maximum'] === 'number')
    words.push(`${field['minimum']} to ${field['maximum']}`);
  if (typeof field['maxLength'] === 'number')
    words.push(`at most ${field['maxLength']} characters`);
  return words.join('; ');
}

function renderErrors(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, error]) =>
      `<tr id="error-${code}"><th scope="row"><code>${code}</code></th><td>${error.status}</td><td>${escapeHtml(error.when)}</td><td>${renderInlineCode(error.action)}</td></tr>`,
  );
  const example = {
    error: {
      code: 'not_found',
      message: 'no network has the id or name "demo"',
      requestId: 'req_0123456789abcdefghij',
    },
  };
  return `<section id="errors"><h2>Errors</h2>
<p>Every error has this body; <code>invalid_request</code> adds <code>details</code>, a list of <code>{"field", "reason"}</code>.</p>
<pre><code>${escapeHtml(JSON.stringify(example, null, 2))}</code></pre>
<div class="scroll"><table><thead><tr><th scope="col">code</th><th scope="col">status</th><th scope="col">when</th><th scope="col">what to do</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>
</section>`;
}

function renderInlineCode(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function permissionTag({ permission }: Route): string {
  return permission === null ? '' : ` <span class="tag">${permission}</span>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
