import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Where steps of the host engine find programs of the machine. */
const folders = ['/usr/local/bin', '/usr/bin', '/bin'];

/** Whether this machine has all of these commands; says which it lacks, and what to install, where it does not. */
export function hasCommands(commands: readonly string[], packages: string): boolean {
  const missing = commands.filter((command) => !folders.some((folder) => isProgram(join(folder, command))));
  if (missing.length > 0) {
    process.stderr.write(`skipped: this machine has no ${missing.join(', ')} (apt install ${packages})\n`);
  }
  return missing.length === 0;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
