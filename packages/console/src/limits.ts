/** Every limit of the console, each with its reason. */

/** How often pages ask again while the watch stream is broken. */
export const POLL_MS = 5_000;
/** Changes that come together are answered by one reading. */
export const CHANGE_PAUSE_MS = 250;
/** The same of nodes that connect and report: ten thousand of them do so all the time. */
export const LIVE_PAUSE_MS = 2_000;
/** Rows of a list that are drawn at one time, or before "Show more". */
export const LIST_PAGE_ROWS = 100;
/** A search begins when nothing was typed for so long: a word is one request. */
export const TYPING_PAUSE_MS = 250;
/** Of what somebody should look at, the overview shows so many of a kind. */
export const TROUBLE_ROWS = 6;
/** Nodes that are offered for what is typed of a name. */
export const SUGGESTIONS_MAX = 20;
/** Nodes that the topology reads: what one screen can show as dots. */
export const TOPOLOGY_NODES_MAX = 2_000;
/** Paths that the topology draws: more are a grey cloud, and slow. */
export const TOPOLOGY_PATHS_MAX = 1_500;
/** Up to this many nodes every name is shown. */
export const TOPOLOGY_LABELS_MAX = 40;
/** Cells of the address map: a /24; larger pools get cells of several addresses. */
export const MAP_CELLS_MAX = 256;
