/**
 * What the checks of the tree share: the list of our files, and how findings are shown.
 * A finding is one line, `file:line rule: message`, so that editors and people can jump to it.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** One reason to refuse the tree. `line` counts from 1; 0 means the whole file. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

/** A text file of the tree, by its path from the root with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Files of a tree that a check reads; more means that the walk left the tree. */
export const TREE_FILES_MAX = 20_000;

const SKIPPED_FOLDERS = new Set(['node_modules', '.git', '.cache', 'build', 'dist', 'corpus']);
const TEXT_NAME =
  /\.(tsx|ts|mts|mjs|js|json|c|h|md|sh|hex|yaml|yml|service|html|css)$|^(Makefile|run|loom|LICENSE)$/;

/** Reads every text file of ours below `root`, sorted by path. */
export function readTree(root: string): SourceFile[] {
  const paths: string[] = [];
  collect(root, paths);
  return paths.sort().map((path) => ({
    path: relative(root, path).replaceAll('\\', '/'),
    text: readFileSync(path, 'utf8'),
  }));
}

function collect(folder: string, into: string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (into.length >= TREE_FILES_MAX)
      throw new RangeError(`more than ${TREE_FILES_MAX} files below ${folder}`);
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) collect(path, into);
    else if (entry.isFile() && TEXT_NAME.test(entry.name)) into.push(path);
  }
}

/** One finding as it is printed. */
export function formatFinding(finding: Finding): string {
  const at = finding.line > 0 ? `${finding.file}:${finding.line}` : finding.file;
  return `${at} ${finding.rule}: ${finding.message}`;
}

/** Prints the findings of a check and returns the exit status. */
export function report(check: string, findings: readonly Finding[], filesRead: number): 0 | 1 {
  for (const finding of findings) console.error(formatFinding(finding));
  if (findings.length === 0) console.log(`${check}: ${filesRead} files, nothing found`);
  else console.error(`${check}: ${findings.length} found in ${filesRead} files`);
  return findings.length === 0 ? 0 : 1;
}

/** Line of a character position, from 1. */
export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < index; at = text.indexOf('\n', at + 1))
    line++;
  return line;
}

/**
 * True for files that hold tests or serve only them: folders named testing, and the root's test
 * folder.
 */
export function isTest(path: string): boolean {
  return /\.test\.ts$|^test\/|\/testing\/|^datapath\/(test|fuzz)\//.test(path);
}
