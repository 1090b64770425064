import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { RegrowError } from '../errors.ts';

const loopback = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const loopbackHost = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Who may ask for something. With a token configured: whoever has it. Without: this machine, and there no web page of
 * another origin, nor one that a name of its own leads here (both are seen in what browsers send).
 */
function mayAct(request: FastifyRequest, token: string | undefined): boolean {
  if (token !== undefined) {
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), digest(token));
  }
  const { origin, host = '' } = request.headers;
  const site = request.headers['sec-fetch-site'];
  return (
    loopback.test(request.ip) &&
    loopbackHost.test(host) &&
    (origin === undefined || origin === `http://${host}`) &&
    (site === undefined || site === 'same-origin' || site === 'none')
  );
}

/** Errors: request.refused. */
export function checkCaller(request: FastifyRequest, token: string | undefined): void {
  if (mayAct(request, token)) return;
  throw new RegrowError('request.refused', 'this request is not allowed from here', {
    remedy:
      token === undefined
        ? 'ask from the machine that the daemon runs on, or configure api.token'
        : 'send the configured api.token as a bearer token',
  });
}

/** Checks that who sent a body knows the secret: `X-Hub-Signature-256` is `sha256=` and its HMAC. Errors: request.refused. */
export function checkSignature(request: FastifyRequest, body: Buffer, secret: string | undefined): void {
  if (secret === undefined) {
    throw new RegrowError('request.refused', 'this daemon takes no webhooks: it has no secret to know them by', {
      remedy: 'give the secret of the webhook in REGROW_WEBHOOK_SECRET, or in a file that api.webhookSecretFile names',
    });
  }
  const header = request.headers['x-hub-signature-256'];
  const expected = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  // Digests are compared, because texts of another length cannot be.
  if (typeof header === 'string' && timingSafeEqual(digest(header), digest(expected))) return;
  throw new RegrowError('request.refused', 'the signature of this webhook is not that of the configured secret', {
    remedy: 'give the webhook the same secret as REGROW_WEBHOOK_SECRET',
  });
}
