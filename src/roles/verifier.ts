import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { type ErrorCode, RegrowError } from '../errors.ts';
import type { VerifyRequest } from '../model/request.ts';
import { type Verdict, verdictSchema } from '../model/verdict.ts';
import type { Clock } from '../ports/clock.ts';
import type { Exec } from '../ports/exec.ts';
import type { ImageClaim } from '../publish/image/index.ts';

/** Judges the builds of one request. */
export type Verify = (request: VerifyRequest, signal: AbortSignal) => Promise<readonly Verdict[]>;

/** Says whether an image is what its request asks for: returns, or throws. */
export type Prove = (claim: ImageClaim, signal?: AbortSignal) => Promise<void>;

const outputSchema = z.union([
  z.strictObject({ verdicts: z.array(verdictSchema) }),
  z.strictObject({ proven: z.string() }),
  z.strictObject({
    error: z.object({
      code: z.string(),
      message: z.string(),
      retry: z.enum(['now', 'later', 'never']),
      remedy: z.string().optional(),
    }),
  }),
]);

/** Milliseconds. */
const patience = 10 * 60_000;

/**
 * How the child is started. From the sources it needs the loader that strips types, which starts helpers of its own; so
 * only the built program runs under Node's permission model. There it may read three things: the program, the packages that
 * the program imports, and the objects. It may write nothing, start nothing and load no native code; Node 20's model says
 * nothing about the network.
 */
function childArguments(objects: string): [string, ...string[]] {
  const here = realpathSync(fileURLToPath(import.meta.url));
  if (here.endsWith('.ts')) {
    const loader = pathToFileURL(createRequire(here).resolve('tsx')).href;
    return [process.execPath, '--import', loader, join(dirname(here), 'verify-child.ts')];
  }
  const program = join(dirname(here), '../..');
  const major = Number(process.versions.node.split('.')[0]);
  const permission = major >= 24 ? '--permission' : '--experimental-permission';
  const folders = new Set([program, ...packageFolders(here), objects, realpathSync(objects)]);
  const reads = [...folders].map((folder) => `--allow-fs-read=${folder}/*`);
  return [process.execPath, '--no-warnings', permission, ...reads, join(dirname(here), 'verify-child.js')];
}

/** The `node_modules` that hold what the child imports: below the program, or beside it where regrow itself was installed. */
function packageFolders(from: string): string[] {
  const require = createRequire(from);
  return ['re2js', 'yaml', 'zod'].map((name) => {
    const path = require.resolve(name);
    return path.slice(0, path.lastIndexOf(`${sep}node_modules${sep}`) + `${sep}node_modules`.length);
  });
}

export interface ChildOptions {
  readonly exec: Exec;
  /** Absolute path of the object folder. */
  readonly objects: string;
}

/** Judges builds in a child process without keys. */
export function createChildVerifier({ clock, ...options }: ChildOptions & { readonly clock: Clock }): Verify {
  return async function verify(request, signal) {
    const about = request.packages.join(', ');
    const answer = await askChild(options, { request, at: clock.now().toISOString() }, about, signal);
    if ('verdicts' in answer) return answer.verdicts;
    throw new RegrowError('internal', `the verifier of ${about} answered something else`, { retry: 'later' });
  };
}

/** Proves images in a child process without keys. */
export function createChildProver(options: ChildOptions): Prove {
  return async function prove({ image, index }, signal) {
    const about = `${image.name}:${image.tag}`;
    const answer = await askChild(options, { image, index }, about, signal);
    if ('proven' in answer && answer.proven === index) return;
    throw new RegrowError('internal', `the verifier of ${about} answered something else`, { retry: 'later' });
  };
}

async function askChild({ exec, objects }: ChildOptions, question: object, about: string, signal?: AbortSignal) {
  const { stdout, stderr, exitCode, timedOut } = await exec.run({
    argv: childArguments(objects),
    env: {},
    input: JSON.stringify({ objects, ...question }),
    timeout: patience,
    ...(signal === undefined ? {} : { signal }),
  });
  const { data } = outputSchema.safeParse(readJson(stdout));
  if (data === undefined) {
    const why = timedOut ? 'did not end in time' : `ended with ${exitCode}: ${stderr.trim().slice(-500)}`;
    throw new RegrowError('internal', `the verifier of ${about} ${why}`, { retry: 'later' });
  }
  if (!('error' in data)) return data;
  const { code, message, retry, remedy } = data.error;
  throw new RegrowError(code as ErrorCode, message, { retry, ...(remedy === undefined ? {} : { remedy }) });
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
