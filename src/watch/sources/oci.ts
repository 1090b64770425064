import { z } from 'zod';
import type { HttpAnswer } from '../../ports/http.ts';
import { answerInvalid, documentFrom, fetchDocument, listOf, readJson, sendQuery } from '../document.ts';
import { answerOf, highestFirst, identifierOf, refuseTooMany } from '../observe.ts';
import { nextPage } from '../pages.ts';
import type { PollRequest, ReleaseSource, WatchPorts } from '../source.ts';

/** Names of github.com/opencontainers/distribution-spec, Pull; hosts of github.com/distribution/reference. */
const nameForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const hostForm = /^(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::\d+)?$/;

const pageSize = 1000;
const mostPages = 100;
/** What belongs to an image, by its digest: signatures, attestations, SBOMs. */
const attachment = /^sha256-[0-9a-f]{64}(?:\.|$)/;

const pageSchema = z.object({ tags: listOf(z.string()).nullable() });
const tokenSchema = z
  .object({ token: z.string().optional(), access_token: z.string().optional() })
  .transform(({ token, access_token: other }, context) => {
    const given = token ?? other;
    if (given === undefined) context.addIssue({ code: 'custom', message: 'has no token' });
    return given ?? '';
  });

/**
 * Tags of an image in a registry that anybody may read (OCI distribution specification, Listing Tags). They come in no order that
 * says anything of time, so all pages are read. Keys: `oci:HOST/NAME`, Docker Hub's `oci:docker.io/library/NAME`.
 */
export const ociSource: ReleaseSource = {
  kind: 'oci',
  key: ({ update }) => keyOf(update?.oci?.identifier ?? ''),
  annotated: keyOf,

  async poll(request, ports) {
    const [host = '', ...names] = identifierOf(request.source).split('/');
    const name = names.join('/');
    const ask = createAsker(name, request, ports);
    let tags: readonly string[] = [];
    const first = `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}/v2/${name}/tags/list?n=${pageSize}`;
    let url: string | undefined = first;
    for (let page = 0; url !== undefined && page < mostPages; page += 1) {
      const document = documentFrom({ url }, await ask(url));
      if (document === 'unchanged') break;
      tags = [...tags, ...(readJson(document, pageSchema).tags ?? [])];
      refuseTooMany(request.source, tags);
      url = nextPage(document);
    }
    const versions = tags.filter((tag) => !attachment.test(tag)).map((tag) => ({ tag, prerelease: false }));
    return answerOf(request, ports, { tags: highestFirst(versions), more: url !== undefined });
  },
};

/** As `docker pull` reads it: without a host it is Docker Hub, without a folder one of its own images. */
function keyOf(identifier: string): string | undefined {
  const [first = '', ...rest] = identifier.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const host = hasHost ? first : 'docker.io';
  const path = hasHost ? rest.join('/') : identifier;
  const name = host === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  return hostForm.test(host) && nameForm.test(name) ? `oci:${host}/${name}` : undefined;
}

/** Asks without a token, and with one that anybody is given as soon as the registry wants one. */
function createAsker(
  name: string,
  { signal }: PollRequest,
  { http }: WatchPorts,
): (url: string) => Promise<HttpAnswer> {
  let headers: Record<string, string> = {};
  return async (url) => {
    const answer = await sendQuery(http, { url, headers, signal });
    const challenge = answer.headers['www-authenticate'];
    if (answer.status !== 401 || challenge === undefined || headers['authorization'] !== undefined) return answer;
    const address = tokenAddress(url, challenge, name);
    const document = await fetchDocument(http, { url: address, signal });
    if (document === 'unchanged') return answer;
    headers = { authorization: `Bearer ${readJson(document, tokenSchema)}` };
    return sendQuery(http, { url, headers, signal });
  };
}

/** distribution.github.io/distribution/spec/auth/token */
function tokenAddress(url: string, challenge: string, name: string): string {
  const fields = new Map(
    Array.from(challenge.matchAll(/(\w+)="([^"]*)"/g), ([, key = '', value = '']) => [key, value]),
  );
  const realm = fields.get('realm') ?? '';
  if (!/^Bearer\s/i.test(challenge) || !URL.canParse(realm) || !realm.startsWith('https://')) {
    throw answerInvalid(url, 'wants a login that regrow does not know');
  }
  const address = new URL(realm);
  const service = fields.get('service');
  if (service !== undefined) address.searchParams.set('service', service);
  address.searchParams.set('scope', fields.get('scope') ?? `repository:${name}:pull`);
  return address.href;
}
