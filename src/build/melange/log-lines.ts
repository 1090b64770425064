import { z } from 'zod';

/** One line of what melange prints with `--gcplog`: JSON of Go's slog with the names that Google's agent takes (clog `gcp`). */
const lineSchema = z.object({
  severity: z.string(),
  message: z.string(),
  'logging.googleapis.com/sourceLocation': z.object({ function: z.string().optional() }).optional(),
});

export interface MelangeLine {
  readonly severity: 'debug' | 'info' | 'warning' | 'error';
  readonly text: string;
  /** Whether a step, or another program that melange ran, printed it. */
  readonly fromProgram: boolean;
}

/** Programs' lines come by way of this (melange `internal/logwriter`). */
const programWriter = /\/internal\/logwriter\./;

/** What is no JSON was printed past melange's log, by a program or by melange itself. */
export function readLine(line: string): MelangeLine {
  const parsed = line.startsWith('{') ? lineSchema.safeParse(jsonOf(line)) : undefined;
  if (parsed?.success !== true) return { severity: 'info', text: line, fromProgram: true };
  const { severity, message, 'logging.googleapis.com/sourceLocation': location } = parsed.data;
  return {
    severity: severityOf(severity),
    text: message.replace(/\n+$/, ''),
    fromProgram: programWriter.test(location?.function ?? ''),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function severityOf(name: string): MelangeLine['severity'] {
  switch (name) {
    case 'DEBUG':
      return 'debug';
    case 'WARNING':
    case 'WARN':
      return 'warning';
    case 'ERROR':
    case 'CRITICAL':
      return 'error';
    default:
      return 'info';
  }
}

/** Cuts what comes in pieces into lines; `end` gives the last one, which may have no line break. */
export function createLineCutter(take: (line: string) => void): { add(chunk: Uint8Array): void; end(): void } {
  const decoder = new TextDecoder();
  // In pieces, looked at once: a line may be as long as a build may print.
  let open: string[] = [];
  const cut = (text: string): void => {
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    for (const end of lines) {
      const line = open.join('') + end;
      open = [];
      if (line !== '') take(line);
    }
    if (rest !== '') open.push(rest);
  };
  return {
    add: (chunk) => cut(decoder.decode(chunk, { stream: true })),
    end() {
      cut(`${decoder.decode()}\n`);
    },
  };
}
