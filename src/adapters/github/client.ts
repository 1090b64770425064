import { Octokit } from 'octokit';

/** Seconds: a limit that ends sooner is waited for; a later one goes back to the queue with the time. */
const patience = 30;
const requestTimeout = 60_000;

export interface GitHubClientOptions {
  /** `https://api.github.com`, or the API address of another server. */
  readonly baseUrl?: string;
  readonly token?: string;
  readonly userAgent: string;
  /** False for a server of one's own that has no limits: GitHub asks for a second between writes. */
  readonly throttle?: boolean;
  /** How often a request that the server failed is tried again, with a growing pause. Default 2. */
  readonly retries?: number;
  /** Milliseconds that an answer may take. Default 60 000. */
  readonly timeout?: number;
  readonly warn?: (message: string) => void;
}

export type GitHubClient = Octokit;

/** Octokit with its throttling and retry plugins, a time limit on every request, and its log turned to ours. */
export function createGitHubClient(options: GitHubClientOptions): GitHubClient {
  const warn = options.warn ?? (() => {});
  const wait = (retryAfter: number, _request: unknown, _octokit: unknown, retries: number): boolean =>
    retryAfter <= patience && retries < 2;
  const client = new Octokit({
    userAgent: options.userAgent,
    ...(options.baseUrl === undefined ? {} : { baseUrl: options.baseUrl.replace(/\/+$/, '') }),
    ...(options.token === undefined ? {} : { auth: options.token }),
    log: { debug: () => {}, info: () => {}, warn, error: warn },
    request: { fetch: fetchWithin(options.timeout ?? requestTimeout) },
    retry: { doNotRetry: [304, 400, 401, 403, 404, 405, 409, 410, 422, 429, 451], retries: options.retries ?? 2 },
    throttle: {
      enabled: options.throttle ?? true,
      onRateLimit: wait,
      onSecondaryRateLimit: wait,
    },
  });
  // The retry plugin counts in an object that all requests share: without one of its own, each would begin with the pause
  // that the last failure ended with.
  client.hook.before('request', (options) => {
    options.request = { ...options.request, retryCount: 0 };
  });
  return client;
}

function fetchWithin(milliseconds: number): typeof fetch {
  return (input, init) => {
    const timer = AbortSignal.timeout(milliseconds);
    const given = init?.signal;
    return fetch(input, { ...init, signal: given ? AbortSignal.any([timer, given]) : timer });
  };
}
