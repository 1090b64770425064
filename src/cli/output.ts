import { type ErrorCode, type ErrorReport, RegrowError, reportError } from '../errors.ts';
import { paint, printable, type Style } from '../report/table.ts';

/** What a command writes to, so that tests can read it. */
export interface Output {
  readonly style: Style;
  /** Whether a person watches: progress is shown then, and only then. */
  readonly interactive: boolean;
  /** Results, on standard output. */
  write(text: string): void;
  /** One line of JSON on standard output. */
  json(value: unknown): void;
  /** A line about the work, on standard error. */
  note(text: string): void;
  /** Replaces the line of progress; nothing where nobody watches. Without text it is wiped. */
  progress(text?: string): void;
  /** Says how the command ended; the first worst one counts. */
  exit(code: ExitCode): void;
  readonly exitCode: ExitCode;
}

/** 0 done, 1 the answer is no, 2 used wrongly, 3 something outside is missing (the message says what to do). */
export type ExitCode = 0 | 1 | 2 | 3;

interface Stream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface OutputOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** Value of NO_COLOR in the environment: any text but the empty one turns colours off (no-color.org). */
  readonly noColor?: string | undefined;
}

export function createOutput({ stdout, stderr, noColor = '' }: OutputOptions): Output {
  let exitCode: ExitCode = 0;
  let shown = false;
  const interactive = stderr.isTTY === true;
  function wipe(): void {
    if (shown) stderr.write('\r\u001b[K');
    shown = false;
  }
  return {
    style: {
      color: stdout.isTTY === true && noColor === '',
      ...(stdout.isTTY === true && stdout.columns !== undefined ? { width: stdout.columns } : {}),
    },
    interactive,
    write(text) {
      wipe();
      stdout.write(text);
    },
    json(value) {
      wipe();
      stdout.write(`${JSON.stringify(value)}\n`);
    },
    note(text) {
      wipe();
      stderr.write(`${printable(text)}\n`);
    },
    progress(text) {
      wipe();
      if (text === undefined || !interactive) return;
      stderr.write(printable(text).replaceAll('\n', ' '));
      shown = true;
    },
    exit(code) {
      if (code > exitCode) exitCode = code;
    },
    get exitCode() {
      return exitCode;
    },
  };
}

/** How a command that failed with a code ends. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  switch (code) {
    case 'request.invalid':
      return 2;
    case 'tool.missing':
    case 'sandbox.unavailable':
    case 'config.invalid':
    case 'queue.unreachable':
    case 'daemon.unreachable':
    case 'daemon.other':
    case 'daemon.address-taken':
    case 'storage.full':
    case 'storage.failed':
    case 'ledger.failed':
    case 'upstream.unreachable':
    case 'forge.unauthorized':
    case 'verify.inputs-gone':
    case 'verify.engine-other':
      return 3;
    default:
      return 1;
  }
}

function errorText(report: ErrorReport, style: Style): string {
  const { code, message, remedy } = report;
  const first = `${paint('error', 'bad', style)} ${code}: ${printable(message)}${printable(placeText(report))}`;
  return remedy === undefined ? `${first}\n` : `${first}\n  ${printable(remedy)}\n`;
}

/** What a message leaves open of where it is; most messages about a file name it. */
function placeText({ message, file, line, field }: ErrorReport): string {
  if (file === undefined || message.startsWith(`${file}:`)) return '';
  const place = line === undefined ? file : `${file}:${line}`;
  const open = [place, field].filter((part) => part !== undefined && !message.includes(part));
  return open.length === 0 ? '' : ` (${open.join(', ')})`;
}

/** The one place that prints an error: text on standard error, or with --json one line on standard output. */
export function printError(output: Output, thrown: unknown, json: boolean): void {
  const report = reportError(thrown);
  if (json) output.json({ error: report });
  else output.note(errorText(report, { color: output.style.color }).trimEnd());
  output.exit(exitCodeOf(report.code));
}

/** Runs a command's work; whatever it throws is printed, and the exit code says so. */
export async function runCommand(output: Output, json: boolean, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof RegrowError && error.code === 'aborted') output.exit(1);
    else printError(output, error, json);
  } finally {
    output.progress();
  }
}
