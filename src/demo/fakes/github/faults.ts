/** What the next requests that match get instead of an answer. */
export interface Fault {
  /** Part of the path, or a pattern that it matches; the query is not looked at. */
  readonly path: string | RegExp;
  readonly method?: string;
  /** How many requests. Default 1; `Infinity` until `clear`. */
  readonly times?: number;
  readonly does:
    | { readonly kind: 'status'; readonly status: number; readonly message?: string }
    /** A page of HTML with status 200, as a proxy or a portal gives. */
    | { readonly kind: 'html' }
    /** Nothing at all, until the client gives up or the server is closed. */
    | { readonly kind: 'hang' }
    /** The connection is cut. */
    | { readonly kind: 'cut' }
    /** GitHub's secondary rate limit: 403 with `retry-after` in seconds. */
    | { readonly kind: 'secondary-rate-limit'; readonly retryAfter: number };
}

export interface FaultBoard {
  add(fault: Fault): void;
  clear(): void;
  /** The fault that meets this request; counts it. */
  take(method: string, path: string): Fault['does'] | undefined;
  /** Faults that no request has met yet: a test ends with none. */
  unused(): readonly Fault[];
  /** Milliseconds that every answer waits. */
  latency: number;
}

export function createFaultBoard(): FaultBoard {
  let waiting: { readonly fault: Fault; left: number; met: boolean }[] = [];
  return {
    latency: 0,
    add(fault) {
      waiting.push({ fault, left: fault.times ?? 1, met: false });
    },
    clear() {
      waiting = [];
    },
    take(method, path) {
      const entry = waiting.find(
        ({ fault, left }) =>
          left > 0 &&
          (fault.method === undefined || fault.method === method) &&
          (typeof fault.path === 'string' ? path.includes(fault.path) : fault.path.test(path)),
      );
      if (entry === undefined) return undefined;
      entry.left -= 1;
      entry.met = true;
      return entry.fault.does;
    },
    unused() {
      return waiting.filter(({ met }) => !met).map(({ fault }) => fault);
    },
  };
}

/** The page that the `html` fault answers. */
export const portalPage =
  '<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n';
