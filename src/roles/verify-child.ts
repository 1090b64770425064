import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { createFsReader } from '../adapters/objects/fs-reader.ts';
import { reportError } from '../errors.ts';
import { imageRequestSchema, verifyRequestSchema } from '../model/request.ts';
import { proveImage } from '../publish/image/index.ts';
import { judgeBuilds } from './verifying.ts';

/**
 * The process that reads packages and images nobody trusts yet. It has no key, no token and no environment; on Node's permission
 * model it may read the program and the object store, and nothing else. Standard input: the request. Standard output: the
 * verdicts, or that an image is what it should be, or the error.
 */
const inputSchema = z.union([
  z.strictObject({ objects: z.string(), request: verifyRequestSchema, at: z.string() }),
  z.strictObject({ objects: z.string(), image: imageRequestSchema, index: z.string() }),
]);

try {
  const input = inputSchema.parse(JSON.parse(await text(process.stdin)));
  const objects = createFsReader(input.objects);
  if ('image' in input) {
    await proveImage(objects, input);
    process.stdout.write(JSON.stringify({ proven: input.index }));
  } else {
    const verdicts = await judgeBuilds(objects, input.request, input.at);
    process.stdout.write(JSON.stringify({ verdicts }));
  }
} catch (thrown) {
  process.stdout.write(JSON.stringify({ error: reportError(thrown) }));
}
