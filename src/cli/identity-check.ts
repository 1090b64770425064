import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { reportError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import { identityOf } from '../roles/keyless.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

const name = 'identity';

const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string().optional(),
  email: z.string().optional(),
  /** Seconds since 1970. */
  exp: z.number().optional(),
});

/** Who signs without a key, by the identity token of now; undefined where nobody does. Fulcio is not asked. */
export async function checkIdentity(
  { publish }: Pick<Config, 'publish'>,
  { identity }: Pick<Secrets, 'identity'>,
  clock: Clock,
): Promise<Check | undefined> {
  if (publish.sigstore === undefined) return undefined;
  try {
    const token = await identityOf(identity)();
    const claims = claimsOf(token);
    if (claims === undefined)
      return fail(name, 'the identity token does not say who it is for', 'use a token of OpenID Connect');
    const who = `signs as ${claims.email ?? claims.sub ?? 'nobody'} of ${claims.iss}`;
    const until = claims.exp === undefined ? undefined : new Date(claims.exp * 1000);
    if (until !== undefined && until <= clock.now()) {
      const remedy = 'have it renewed: it is good for minutes; whoever writes the file, or GitHub, gives new ones';
      return fail(name, `${who}, but the token ended at ${until.toISOString()}`, remedy);
    }
    if (identity?.kind !== 'token') return ok(name, who);
    const remedy = 'for a daemon, name a file that is renewed in publish.sigstore.tokenFile';
    return warn(name, `${who}, until ${until?.toISOString() ?? 'the token ends'}`, remedy);
  } catch (thrown) {
    const { message, remedy } = reportError(thrown);
    return fail(name, message, remedy);
  }
}

function claimsOf(token: string): z.infer<typeof claimsSchema> | undefined {
  try {
    const [, claims = ''] = token.split('.');
    return claimsSchema.safeParse(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
