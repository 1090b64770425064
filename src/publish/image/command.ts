import type { OciProcess } from '../../formats/oci.ts';

/** What a container runtime would start, as `Sandbox.run` takes it. */
export interface ImageCommand {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The command of an image: its entrypoint with its cmd as arguments; undefined where it names neither (a base image). */
export function commandOf(process: OciProcess): ImageCommand | undefined {
  const [program, ...args] = [...(process.Entrypoint ?? []), ...(process.Cmd ?? [])];
  if (program === undefined) return undefined;
  const env = Object.fromEntries(
    process.Env.map((entry): [string, string] => {
      const equals = entry.indexOf('=');
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
  return { argv: [program, ...args], cwd: process.WorkingDir ?? '/', env };
}

/** Characters: enough to see that a program ran. The list of all images has it, and is read for every layer that is pulled. */
const keptLength = 16_384;

/** What is kept of what an image printed when it was run. */
export function keptOutput(output: string): string {
  return output.length <= keptLength ? output : `${output.slice(0, keptLength)}\n[…]\n`;
}
