/** The controller, for programs and tests that start one in their own process. */
export { startController } from './controller.ts';
export type { Controller, ControllerOptions } from './controller.ts';
export { LISTEN_DEFAULT, parseListenAddress, parsePublicUrl } from './data/listen-address.ts';
export { StartupError } from './startup-error.ts';
export type { StartupErrorCode } from './startup-error.ts';
