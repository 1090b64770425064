import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Document, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { RegrowError } from '../errors.ts';
import { allowedBelow } from './describe.ts';
import { type Config, configSchema } from './schema.ts';
import { type Environment, readSecrets, type SecretHolder, type Secrets } from './secrets.ts';

export interface LoadOptions {
  /** Path of the file. Default: `REGROW_CONFIG`, else `regrow.yaml` in the working directory where there is one, else none. */
  readonly file?: string | undefined;
  /** Default: the environment of the process. */
  readonly environment?: Environment;
  /** What paths are relative to. Default: the working directory. */
  readonly cwd?: string;
  /** The roles that run here: no other's secrets are read. Default: all. */
  readonly roles?: readonly SecretHolder[] | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly secrets: Secrets;
  /** The file that was read; undefined when every option has its default. */
  readonly file: string | undefined;
}

interface Finding {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

function keyText(path: readonly PropertyKey[]): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at > 0 ? '.' : ''}${String(part)}`))
    .join('');
}

const secretNames: ReadonlySet<string> = new Set(['token', 'password', 'secret']);

/** What is wrong, and what would be right. */
function findingsOf(issue: z.core.$ZodIssue): Finding[] {
  if (issue.code === 'unrecognized_keys') {
    const allowed = allowedBelow(issue.path);
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      text: secretNames.has(key)
        ? 'secrets do not belong into this file: use the environment (REGROW_FORGE_TOKEN, …) or tokenFile'
        : `is no option${allowed.length > 0 ? `; allowed here: ${allowed.join(', ')}` : ''}`,
    }));
  }
  if (issue.code === 'invalid_value') {
    return [{ path: issue.path, text: `must be one of ${issue.values.map(String).join(', ')}` }];
  }
  if (issue.code === 'invalid_type') {
    const quoted = issue.expected === 'string' && typeof issue.input === 'number' ? ': put it into quotes' : '';
    return [{ path: issue.path, text: `must be ${article(issue.expected)}${quoted}` }];
  }
  return [{ path: issue.path, text: issue.message }];
}

function article(type: string): string {
  const words: Record<string, string> = { string: 'a text', number: 'a number', array: 'a list', object: 'a mapping' };
  return words[type] ?? type;
}

/** The line of the deepest part of a path that the file has. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
      const [start] = node.range;
      return typeof start === 'number' ? lines.linePos(start).line : undefined;
    }
  }
  return undefined;
}

function readDocument(file: string): { document: Document; lines: LineCounter } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new RegrowError('config.invalid', `${file} cannot be read`, {
      file,
      cause,
      remedy: 'name a file that is there with --config; `regrow init` makes one',
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    throw new RegrowError('config.invalid', `${file}:${line}: not YAML: ${error.message}`, {
      file,
      line,
      cause: error,
      remedy: 'mend the file',
    });
  }
  return { document, lines };
}

function parse(value: unknown, file: string, line: (path: readonly PropertyKey[]) => number | undefined) {
  const parsed = configSchema.safeParse(value ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const findings = parsed.error.issues.flatMap(findingsOf);
  const texts = findings.map((finding) => {
    const at = line(finding.path);
    return `${file}${at === undefined ? '' : `:${at}`}: ${keyText(finding.path) || 'the file'}: ${finding.text}`;
  });
  const path = findings[0]?.path ?? [];
  const at = line(path);
  throw new RegrowError('config.invalid', texts.join('\n'), {
    file,
    field: keyText(path),
    ...(at === undefined ? {} : { line: at }),
    cause: parsed.error,
    remedy: 'every option is in docs/configuration.md, and in config/schema.json for editors',
  });
}

function isUrl(place: string): boolean {
  return /^[a-z][a-z+]*:\/\//.test(place);
}

function complete(parsed: z.output<typeof configSchema>, cwd: string): Config {
  const { forge, api, watch, advisories, objects, publish, images, ...rest } = parsed;
  const stateDirectory = resolve(cwd, rest.stateDirectory);
  const { repository = 'recipes.git', ...otherForge } = forge;
  const place = forge.repository === undefined ? join(stateDirectory, repository) : repository;
  const isPath = forge.kind === 'git' && !isUrl(place);
  const tokenFile = (owner: { readonly tokenFile?: string | undefined }) =>
    owner.tokenFile === undefined ? {} : { tokenFile: resolve(cwd, owner.tokenFile) };
  return {
    ...rest,
    stateDirectory,
    advisories: advisories.map((feed) =>
      isUrl(feed.url) ? feed : { ...feed, url: pathToFileURL(resolve(cwd, feed.url)).href },
    ),
    objects: objects.directory === undefined ? {} : { directory: resolve(cwd, objects.directory) },
    publish: {
      ...publish,
      ...(publish.keyDirectory === undefined ? {} : { keyDirectory: resolve(cwd, publish.keyDirectory) }),
      ...(publish.keyPassphraseFile === undefined
        ? {}
        : { keyPassphraseFile: resolve(cwd, publish.keyPassphraseFile) }),
      ...(publish.sigstore === undefined ? {} : { sigstore: { ...publish.sigstore, ...tokenFile(publish.sigstore) } }),
    },
    images: { ...images, ...(images.authFile === undefined ? {} : { authFile: resolve(cwd, images.authFile) }) },
    watch: { ...watch, ...tokenFile(watch) },
    api: {
      ...api,
      ...tokenFile(api),
      ...(api.webhookSecretFile === undefined ? {} : { webhookSecretFile: resolve(cwd, api.webhookSecretFile) }),
    },
    forge: {
      ...otherForge,
      ...tokenFile(forge),
      repository: isPath ? resolve(cwd, place) : place,
      mergeGreen: forge.mergeGreen ?? forge.kind === 'git',
    },
  };
}

/**
 * The configuration from its file and the environment. One file, no layers: what it does not say has its default. Errors:
 * config.invalid, which names the file, the line, the option and what is allowed.
 */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  // The one place that reads the environment.
  const { environment = process.env, cwd = process.cwd() } = options;
  const named = options.file ?? environment['REGROW_CONFIG'];
  const usual = resolve(cwd, 'regrow.yaml');
  const file = named === undefined || named === '' ? (existsSync(usual) ? usual : undefined) : resolve(cwd, named);
  const read = file === undefined ? undefined : readDocument(file);
  const parsed = parse(read?.document.toJS(), file ?? 'the defaults', (path) =>
    read === undefined ? undefined : lineOf(read.document, read.lines, path),
  );
  const config = complete(parsed, cwd);
  return { config, secrets: readSecrets(config, { environment, cwd, roles: options.roles }), file };
}

/** Values that may never be in a log line. */
export function secretValues(secrets: Secrets): string[] {
  const { redisUrl, identity, registryAuth, ...tokens } = secrets;
  const identityToken = identity === undefined || identity.kind === 'file' ? [] : [identity.token];
  const password = redisUrl !== undefined && URL.canParse(redisUrl) ? new URL(redisUrl).password : '';
  const values = [...Object.values(tokens).flat(), ...identityToken, password, decodeURIComponent(password)];
  return [...new Set([...values, ...registrySecrets(registryAuth)].filter((value) => value !== ''))];
}

/** The secrets in an `auth.json`: tokens and passwords, in the clear and as they are sent (containers-auth.json(5)). None of what is no JSON. */
function registrySecrets(text = '{}'): string[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return [];
  }
  const found: string[] = [];
  const look = (value: unknown, key: string): void => {
    if (typeof value === 'object' && value !== null)
      for (const [name, inner] of Object.entries(value)) look(inner, name);
    else if (typeof value === 'string' && /^(auth|password|identitytoken|registrytoken)$/i.test(key)) {
      const decoded = key === 'auth' ? Buffer.from(value, 'base64').toString('utf8') : '';
      found.push(value, decoded.slice(decoded.indexOf(':') + 1));
    }
  };
  look(json, '');
  return found;
}
