/** The section of the documentation page on credentials, and the table of what each role may do. */
import { PERMISSIONS, ROLES, ROLE_PERMISSIONS } from './permissions.ts';

/** The section; all of it is text of this package. */
export function renderRoles(): string {
  const head = ROLES.map((role) => `<th scope="col">${role}</th>`).join('');
  const rows = PERMISSIONS.map((permission) => {
    const cells = ROLES.map((role) =>
      ROLE_PERMISSIONS[role].includes(permission) ? '<td>yes</td>' : '<td></td>',
    );
    return `<tr><th scope="row"><code>${permission}</code></th>${cells.join('')}</tr>`;
  });
  return `<section id="roles"><h2>Credentials and roles</h2>
<p>A program sends <code>Authorization: Bearer</code> with an API token. A browser has the cookie of its session; what changes something under it needs the header
<code>x-loom-csrf</code> with the value that logging in gave. A request acts in one organization: the one that the query parameter <code>organization</code> names, else the only one
of whoever asks. What is outside of it is <code>not_found</code>.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">permission</th>${head}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>
</section>`;
}
