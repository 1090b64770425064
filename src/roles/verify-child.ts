import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { createFsReader } from '../adapters/objects/fs-reader.ts';
import { reportError } from '../errors.ts';
import { verifyRequestSchema } from '../model/request.ts';
import { judgeBuilds } from './verifying.ts';

/**
 * The process that reads packages nobody trusts yet. It has no key, no token and no environment; on Node's permission
 * model it may read the program and the object store, and nothing else. Standard input: the request. Standard output: the
 * verdicts, or the error.
 */
const inputSchema = z.strictObject({ objects: z.string(), request: verifyRequestSchema, at: z.string() });

try {
  const { objects, request, at } = inputSchema.parse(JSON.parse(await text(process.stdin)));
  const verdicts = await judgeBuilds(createFsReader(objects), request, at);
  process.stdout.write(JSON.stringify({ verdicts }));
} catch (thrown) {
  process.stdout.write(JSON.stringify({ error: reportError(thrown) }));
}
