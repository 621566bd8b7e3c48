/**
 * Builds the console of packages/console into packages/console/dist, from which the controller
 * serves it: files with their hash in their names, and index.html that names them. It needs
 * node_modules alone.
 */
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { build } from 'vite';

/** A console that is larger than this has taken in something that it should not. */
const SCRIPT_KB_MAX = 900;

await build({
  root: fileURLToPath(new URL('../packages/console', import.meta.url)),
  configFile: false,
  base: '/',
  logLevel: 'warn',
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // Nothing is inlined: the content security policy allows files of the controller alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: SCRIPT_KB_MAX,
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
  },
});
