/**
 * The one door to HTTP. Errors are RegrowErrors: upstream.unreachable, upstream.too-large, upstream.rate-limited,
 * upstream.address-refused (a private address), upstream.redirect-refused, upstream.answer-invalid, aborted.
 */
export interface HttpRequest {
  readonly url: string;
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as If-None-Match; the answer may then be 304 with no body. */
  readonly etag?: string;
  /** Bytes; a longer body is upstream.too-large. Default 16 MiB. */
  readonly limit?: number;
  /** Milliseconds for the whole answer. Default 60 000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /**
   * `same-host`: a redirect to another host is upstream.redirect-refused, because its answer would not be of the place that was
   * asked. Default: wherever it goes, but never to a private address nor from https to http.
   */
  readonly redirects?: 'same-host';
}

export interface HttpAnswer {
  readonly status: number;
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface Http {
  /** Any status is an answer; only a failure to get one throws. Redirects are followed within reason. */
  request(request: HttpRequest): Promise<HttpAnswer>;
}
