import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Values that may never be in a log line: fields by path here, values by the replacer in `secrets`. */
const redact = [
  'token',
  '*.token',
  'authorization',
  '*.authorization',
  'headers.authorization',
  'privateKey',
  '*.privateKey',
];

export interface LogOptions {
  readonly level: string;
  /** Secret values; wherever one appears in a line it is replaced. */
  readonly secrets?: readonly string[];
  readonly write?: (line: string) => void;
}

/** The root logger; each role, job and package takes a child with its fields. JSON lines on standard error. */
export function createLogger(options: LogOptions): Logger {
  // A line is JSON: there a quote, a backslash or a line break looks otherwise.
  const asWritten = (secret: string) => [secret, JSON.stringify(secret).slice(1, -1)];
  const secrets = [...new Set((options.secrets ?? []).filter((secret) => secret.length > 0).flatMap(asWritten))];
  const write = options.write ?? ((line: string) => process.stderr.write(line));
  return pino(
    {
      level: options.level,
      redact: { paths: redact, censor: '[secret]' },
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    {
      write(line: string) {
        write(secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), line));
      },
    },
  );
}
