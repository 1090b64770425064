import { directoryOf, type Findings, fileName, type ScanInput } from './findings.ts';

const commandDirectories = ['bin', 'sbin', 'usr/bin', 'usr/sbin'];
const scriptDirectories = ['bin', 'usr/bin'];
/** Commands that are symlinks wherever they are packaged: nothing provides `cmd:` for them, so nothing may depend on it. */
const linkedCommands = ['sh', 'python', 'python3', 'awk', 'luajit'];
/** The kernel reads no more of a first line (BINPRM_BUF_SIZE). */
const firstLineLimit = 256;

/** `cmd:NAME=VERSION` for every regular file that all may run in a directory of the search path. */
export function scanCommands(input: ScanInput): Findings {
  const commands = input.files.filter(
    (file) => (file.mode & 0o555) === 0o555 && commandDirectories.includes(directoryOf(file.path)),
  );
  return { provides: commands.map((file) => `cmd:${fileName(file.path)}=${input.fullVersion}`), depends: [] };
}

/**
 * The command that runs a script, or undefined: no `#!`, or `env` with options that hide the command. `env NAME` and
 * `env -S NAME` are looked through.
 */
export function interpreterOf(content: Uint8Array): string | undefined {
  if (content[0] !== 0x23 || content[1] !== 0x21) return undefined;
  const line = Buffer.from(content.subarray(2, firstLineLimit)).toString('utf8').split('\n')[0] ?? '';
  const [program, ...words] = line.trim().split(/\s+/);
  if (program === undefined || program === '') return undefined;
  if (fileName(program) !== 'env') return fileName(program);
  const rest = words[0] === '-S' ? words.slice(1) : words;
  const [command] = rest;
  if (command === undefined || command.startsWith('-') || command.includes('=')) return undefined;
  return fileName(command);
}

/** `cmd:` depends from the first lines of scripts in `/bin` and `/usr/bin`. */
export function scanScripts(input: ScanInput): Findings {
  const depends: string[] = [];
  for (const file of input.files) {
    if (!scriptDirectories.some((directory) => file.path.startsWith(`${directory}/`))) continue;
    const command = interpreterOf(file.content);
    if (command !== undefined && !linkedCommands.includes(command)) depends.push(`cmd:${command}`);
  }
  return { provides: [], depends };
}
