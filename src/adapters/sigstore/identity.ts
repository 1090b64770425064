import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import type { IdentitySource } from '../../model/identity.ts';
import type { Http } from '../../ports/http.ts';

/** What tokens have to be for (sigstore/fulcio `docs/oidc.md`). */
const audience = 'sigstore';
const remedy =
  'give an identity token for the audience sigstore: publish.sigstore.tokenFile, SIGSTORE_ID_TOKEN, or a GitHub workflow with `id-token: write`';
const answerSchema = z.object({ value: z.string().min(1) });
/** Header, claims, signature; only Fulcio can say whether it is good. */
const tokenPattern = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The token of now. Errors: sigstore.identity; no message has the token in it. `http`: where GitHub is asked. */
export function createIdentity(source: IdentitySource | undefined, http: Http): () => Promise<string> {
  return async () => {
    const token = (await read(source, http)).trim();
    if (tokenPattern.test(token)) return token;
    throw missing('what should be an identity token is none');
  };
}

async function read(source: IdentitySource | undefined, http: Http): Promise<string> {
  if (source === undefined) throw missing('there is no identity token');
  if (source.kind === 'token') return source.token;
  if (source.kind === 'file') {
    try {
      return await readFile(source.path, 'utf8');
    } catch (cause) {
      throw missing(`the identity token ${source.path} cannot be read`, cause);
    }
  }
  const url = URL.canParse(source.url) ? new URL(source.url) : undefined;
  if (url === undefined) throw missing('ACTIONS_ID_TOKEN_REQUEST_URL is no address');
  url.searchParams.set('audience', audience);
  try {
    const { status, body } = await http.request({
      url: url.href,
      headers: { accept: 'application/json', authorization: `Bearer ${source.token}` },
    });
    if (status === 200) return answerSchema.parse(JSON.parse(Buffer.from(body).toString('utf8'))).value;
    throw missing(`${url.origin} gives no identity token (${status})`);
  } catch (thrown) {
    if (thrown instanceof RegrowError && thrown.code === 'sigstore.identity') throw thrown;
    throw missing(`${url.origin} gives no identity token`, thrown);
  }
}

function missing(what: string, cause?: unknown): RegrowError {
  return new RegrowError('sigstore.identity', what, { retry: 'later', remedy, cause });
}
