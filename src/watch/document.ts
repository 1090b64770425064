import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import type { Http, HttpAnswer } from '../ports/http.ts';

export interface DocumentQuery {
  readonly url: string;
  /** Sent as Accept. */
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly etag?: string | undefined;
  /** Bytes; default 16 MiB. */
  readonly limit?: number;
  /** Whether HTML may be the answer; elsewhere it is an error page or a login. */
  readonly html?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What an upstream server says of its releases, still as text. */
export interface UpstreamDocument {
  readonly url: string;
  readonly text: string;
  readonly etag: string | undefined;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * One document of an upstream server; `unchanged` where it is the one of `etag`. Throws upstream.not-found, upstream.unreachable,
 * upstream.answer-invalid for HTML that was not asked for, and what the Http port throws.
 */
export async function fetchDocument(http: Http, query: DocumentQuery): Promise<UpstreamDocument | 'unchanged'> {
  return documentFrom(query, await sendQuery(http, query));
}

/** The bare answer, for who has something to say to other statuses. Of another host than the one that was asked there is none. */
export function sendQuery(
  http: Http,
  { url, accept, headers, etag, limit, signal }: DocumentQuery,
): Promise<HttpAnswer> {
  return http.request({
    url,
    headers: { ...(accept === undefined ? {} : { accept }), ...headers },
    redirects: 'same-host',
    ...(etag === undefined ? {} : { etag }),
    ...(limit === undefined ? {} : { limit }),
    ...(signal === undefined ? {} : { signal }),
  });
}

export function documentFrom(query: DocumentQuery, answer: HttpAnswer): UpstreamDocument | 'unchanged' {
  const { url } = query;
  const { status, headers, body } = answer;
  if (status === 304 && query.etag !== undefined) return 'unchanged';
  if (status !== 200) throw refused(url, status);
  const text = new TextDecoder().decode(body);
  const isHtml = /\bhtml\b/i.test(headers['content-type'] ?? '') || /^\s*<(?:!doctype\s+html|html)\b/i.test(text);
  if (isHtml && query.html !== true) throw answerInvalid(url, 'is a page of HTML');
  return { url, text, etag: headers['etag'], headers };
}

function refused(url: string, status: number): RegrowError {
  if ([401, 404, 410, 451].includes(status)) {
    return new RegrowError('upstream.not-found', `${url} answered ${status}`, {
      remedy: 'correct the name in the recipe, or see whether upstream moved or became private',
    });
  }
  return new RegrowError('upstream.unreachable', `${url} answered ${status}`, {
    retry: 'later',
    remedy: 'nothing to do: it is asked again later',
  });
}

/** `what` goes on where the address ends: `is not JSON`. */
export function answerInvalid(url: string, what: string, cause?: unknown): RegrowError {
  return new RegrowError('upstream.answer-invalid', `${url} ${what}`, {
    ...(cause === undefined ? {} : { cause }),
    remedy: 'look at the address with a browser: it may be an error page, or the answer has changed its shape',
  });
}

/** Throws upstream.answer-invalid. */
export function readJson<T>({ url, text }: UpstreamDocument, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw answerInvalid(url, 'is not JSON', cause);
  }
  return readShape(url, value, schema);
}

const xml = new XMLParser({
  ignoreAttributes: false,
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: { enabled: true, maxTotalExpansions: 100_000 },
});

/** Elements are keys, attributes have `@_` in front, all values are text; an element that comes once is no list. Throws upstream.answer-invalid. */
export function readXml<T>({ url, text }: UpstreamDocument, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    // Validation first: the parser alone takes a document that stops in the middle.
    value = xml.parse(text, true);
  } catch (cause) {
    throw answerInvalid(url, 'is not XML', cause);
  }
  return readShape(url, value, schema);
}

export function readShape<T>(url: string, value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw answerInvalid(
    url,
    `has another shape than it should: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not readable'}`,
    parsed.error,
  );
}

/** One rotten entry is left out; a list of nothing else is no list of such entries. */
export function listOf<T>(entry: z.ZodType<T>) {
  return z.array(z.unknown()).transform((values, context) => readable(values, entry, context));
}

/** The same of an element of XML, which is no list where it comes once. */
export function oneOrMore<T>(entry: z.ZodType<T>) {
  return z.preprocess((value) => [value].flat(), listOf(entry));
}

/** The same of an object by name: `[name, entry]`. */
export function entriesOf<T>(entry: z.ZodType<T>) {
  return z
    .record(z.string(), z.unknown())
    .transform((record, context) => readable(Object.entries(record), z.tuple([z.string(), entry]), context));
}

/** The same of text with one entry a line; `parse` gives undefined for a rotten one. Throws upstream.answer-invalid. */
export function readLines<T>({ url, text }: UpstreamDocument, parse: (line: string) => T | undefined): T[] {
  const lines = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  const entries = lines.flatMap((line) => parse(line) ?? []);
  if (entries.length === 0 && lines.length > 0) throw answerInvalid(url, 'has no line that can be read');
  return entries;
}

function readable<T>(values: readonly unknown[], entry: z.ZodType<T>, context: z.RefinementCtx): T[] {
  const entries = values.flatMap((value) => {
    const parsed = entry.safeParse(value);
    return parsed.success ? [parsed.data] : [];
  });
  if (entries.length === 0 && values.length > 0) {
    context.addIssue({ code: 'custom', message: 'none of its entries can be read' });
  }
  return entries;
}
