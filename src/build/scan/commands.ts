import { directoryOf, type Findings, fileName, type ScanInput } from './findings.ts';

const commandDirectories = ['bin', 'sbin', 'usr/bin', 'usr/sbin'];
const scriptDirectories = ['usr/bin', 'usr/local/bin', 'usr/local/sbin'];
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
 * The command that runs a script, or undefined: no `#!`, or `env` with more than a command. `env NAME` and `env -S NAME …` are
 * looked through; the kernel gives `env` all of `NAME OPTION` as one word, which it does not find.
 */
export function interpreterOf(content: Uint8Array): string | undefined {
  if (content[0] !== 0x23 || content[1] !== 0x21) return undefined;
  const line = Buffer.from(content.subarray(2, firstLineLimit)).toString('utf8').split('\n')[0] ?? '';
  const [program, ...words] = line.trim().split(/\s+/);
  if (program === undefined || program === '') return undefined;
  if (fileName(program) !== 'env') return fileName(program);
  const split = words[0] === '-S';
  const [command, ...others] = split ? words.slice(1) : words;
  if (command === undefined || command.startsWith('-') || command.includes('=')) return undefined;
  return split || others.length === 0 ? fileName(command) : undefined;
}

/** `cmd:` depends from the first lines of scripts in `/usr/bin`, `/usr/local/bin` and `/usr/local/sbin`. */
export function scanScripts(input: ScanInput): Findings {
  const depends: string[] = [];
  for (const file of input.files) {
    if (!scriptDirectories.some((directory) => file.path.startsWith(`${directory}/`))) continue;
    const command = interpreterOf(file.content);
    if (command !== undefined && !linkedCommands.includes(command)) depends.push(`cmd:${command}`);
  }
  return { provides: [], depends };
}
