import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { z } from 'zod';
import { evidenceSchema } from '../model/decision.ts';
import type { Change } from '../model/proposal.ts';

/** What a pull request's body says to regrow itself: all that the update can be told from again. */
const headSchema = z.strictObject({
  schema: z.literal(2),
  package: z.string(),
  /** Full version with epoch. */
  version: z.string(),
  /** The commit of the main branch that the changes were made on. */
  base: z.string(),
  /** What the commits on the branch hold (`contentOf`): that of the update, then those that extended it. */
  contents: z.array(z.string()).min(1),
  because: z.string(),
  urgency: z.enum(['security', 'normal', 'low']),
  fixes: z.array(z.string()),
  evidence: z.array(evidenceSchema),
  /** What came of the recipe's dependency pins, a sentence each. */
  pins: z.array(z.string()).optional(),
  release: z.string().optional(),
  compare: z.string().optional(),
});

/**
 * As it is written: package, path, from, to, and which of `whys`. A path that is the package's name and a version that is only
 * the next epoch are empty, as with nearly all of the dependents that follow a library.
 */
const wireSchema = headSchema.extend({
  whys: z.array(z.string()),
  changes: z.array(z.tuple([z.string(), z.string(), z.string(), z.string(), z.number().int().nonnegative()])),
});

export type BodyData = z.infer<typeof headSchema> & { readonly changes: readonly Change[] };

const open = '<!-- regrow:update ';
const close = ' -->';
const packed = 'br:';
/** Characters up to which the data stay readable; what is longer is compressed. */
const readable = 8_000;
/** A body is text that anyone with the right to edit it may have written. */
const mostUnpacked = 8 * 1024 * 1024;

/** A comment that is not shown; `readData` gives back what went in. */
export function writeData(data: BodyData): string {
  const whys = [...new Set(data.changes.map((change) => change.why))];
  const position = new Map(whys.map((why, index) => [why, index]));
  const changes = data.changes.map(({ package: name, path, from, to, why }) => [
    name,
    path === usualPath(name) ? '' : path,
    from,
    to === nextEpoch(from) ? '' : to,
    position.get(why) ?? 0,
  ]);
  const json = JSON.stringify({ ...data, whys, changes });
  const text = json.length > readable ? `${packed}${pack(json)}` : escapeJson(json);
  return `${open}${text}${close}`;
}

/** The data of the last such comment; undefined where it is gone or is not what it was. Line ends may have been changed. */
export function readData(body: string): BodyData | undefined {
  const start = body.lastIndexOf(open);
  const end = body.indexOf(close, start);
  if (start === -1 || end === -1) return undefined;
  const text = body.slice(start + open.length, end);
  try {
    const { whys, changes, ...head } = wireSchema.parse(JSON.parse(text.startsWith(packed) ? unpack(text) : text));
    return {
      ...head,
      changes: changes.map(([name, path, from, to, why]) => ({
        package: name,
        path: path === '' ? usualPath(name) : path,
        from,
        to: to === '' ? nextEpoch(from) : to,
        why: whys[why] ?? '',
      })),
    };
  } catch {
    return undefined;
  }
}

function pack(json: string): string {
  // The best quality takes ten times as long for a few hundredths.
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 9,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
  };
  return brotliCompressSync(json, { params }).toString('base64');
}

function unpack(text: string): string {
  const bytes = Buffer.from(text.slice(packed.length), 'base64');
  return brotliDecompressSync(bytes, { maxOutputLength: mostUnpacked }).toString('utf8');
}

function usualPath(name: string): string {
  return `${name}.yaml`;
}

/** `1.2.3-r4` to `1.2.3-r5`. Of what has no epoch, something that is no version. */
function nextEpoch(version: string): string {
  const [, before = version, epoch = '0'] = /^(.*-r)(\d{1,9})$/.exec(version) ?? [];
  return `${before}${Number(epoch) + 1}`;
}

/** JSON that cannot end the comment that it stands in, or open markup. */
function escapeJson(json: string): string {
  return json
    .replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)
    .replaceAll('--', '-\\u002d');
}
