/** What the handlers of users, sessions and logins work with. */
import type { LoginThrottle } from './login-throttle.ts';
import type { Passwords } from './password.ts';
import type { SetupCode } from './setup-code.ts';
import type { SingleSignOn } from './single-sign-on.ts';

export interface AccessParts {
  readonly passwords: Passwords;
  readonly throttle: LoginThrottle;
  readonly setup: SetupCode;
  readonly singleSignOn: SingleSignOn;
  /** URL at which browsers reach this controller. */
  readonly ownUrl: () => string;
}
