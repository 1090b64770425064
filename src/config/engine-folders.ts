import { join } from 'node:path';
import type { Environment } from './secrets.ts';

/**
 * Where melange and apko are looked for, in this order: the folders of the PATH, then the one that `scripts/setup --engines`
 * puts them in (`REGROW_ENGINES`, else `~/.local/share/regrow/engines`). `environment`: default that of the process.
 */
export function engineFolders(environment: Environment = process.env): readonly string[] {
  const own = environment['REGROW_ENGINES'];
  const home = environment['HOME'];
  const usual = home === undefined || home === '' ? [] : [join(home, '.local/share/regrow/engines')];
  const path = (environment['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return [...path, ...(own === undefined || own === '' ? usual : [own])];
}
