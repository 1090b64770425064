import { z } from 'zod';
import { RegrowError } from '../../errors.ts';

/** What a registry is logged in to with. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

const entrySchema = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
});
const fileSchema = z.object({ auths: z.record(z.string(), entrySchema).default({}) });

/** Names under which Docker's tools keep what they know of Docker Hub. */
const hubNames = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/**
 * Credentials by host, `HOST` or `HOST:PORT`, from the text of an `auth.json` (containers-auth.json(5)), as `skopeo login
 * --authfile`, `podman login` and `docker login` write it. Only passwords and tokens in the file itself count, no helpers.
 * Throws config.invalid.
 */
export function readRegistryAuth(text: string): (host: string) => RegistryCredentials | undefined {
  const known = new Map<string, RegistryCredentials>();
  for (const [name, entry] of Object.entries(parse(text))) {
    const decoded = Buffer.from(entry.auth ?? '', 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    const username = entry.username ?? decoded.slice(0, Math.max(colon, 0));
    const password = entry.password ?? decoded.slice(colon + 1);
    if (username === '' || password === '') {
      throw invalid(
        `${name} has no user and password in it`,
        'log in with `skopeo login --authfile FILE`, without a helper',
      );
    }
    known.set(hostOf(name), { username, password });
  }
  return (host) => known.get(hostOf(host));
}

function parse(text: string): z.output<typeof fileSchema>['auths'] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = fileSchema.safeParse(json);
  if (parsed.success) return parsed.data.auths;
  throw invalid('it is no auth.json', 'write it with `skopeo login --authfile FILE REGISTRY`');
}

function hostOf(name: string): string {
  const host = name
    .replace(/^https?:\/\//, '')
    .replace(/\/.*$/, '')
    .toLowerCase();
  return hubNames.has(host) ? 'docker.io' : host;
}

function invalid(what: string, remedy: string): RegrowError {
  return new RegrowError('config.invalid', `the credentials of registries cannot be used: ${what}`, {
    field: 'images.authFile',
    remedy,
  });
}
