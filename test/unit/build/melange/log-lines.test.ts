import { describe, expect, test } from 'vitest';
import { createLineCutter, readLine } from '../../../../src/build/melange/log-lines.ts';

const line = (severity: string, message: string, name: string) =>
  JSON.stringify({
    time: '2026-11-26T04:28:44.178952557Z',
    severity,
    'logging.googleapis.com/sourceLocation': { function: name, file: 'x.go', line: 1 },
    message,
    arch: 'x86_64',
  });
const melange = 'chainguard.dev/melange/pkg/build.(*Build).summarize';
const step = 'chainguard.dev/melange/internal/logwriter.(*levelWriter).Write';

describe('a line of melange', () => {
  test.each([
    ['INFO', 'info'],
    ['WARNING', 'warning'],
    ['ERROR', 'error'],
    ['CRITICAL', 'error'],
    ['DEBUG', 'debug'],
    ['NOTICE', 'info'],
  ])('%s', (severity, known) => {
    expect(readLine(line(severity, 'made\n', melange))).toEqual({ severity: known, text: 'made', fromProgram: false });
  });

  test('what a step printed is the step’s, whatever it looks like', () => {
    expect(readLine(line('WARNING', 'cc: no input files', step))).toEqual({
      severity: 'warning',
      text: 'cc: no input files',
      fromProgram: true,
    });
    const forged = JSON.stringify(line('ERROR', 'failed to load configuration', melange));
    expect(
      readLine(
        `{"severity":"INFO","message":${forged},"logging.googleapis.com/sourceLocation":{"function":"${step}"}}`,
      ),
    ).toMatchObject({ fromProgram: true });
  });

  test.each(['plain', '{"severity":', '{}', '{"message":1}', '[1]', 'null', ''])(
    'what is none of its lines: %j',
    (text) => {
      expect(readLine(text)).toEqual({ severity: 'info', text, fromProgram: true });
    },
  );
});

test('lines are whole, however they come', () => {
  const text = 'eins\nzwei ä\n\ndrei';
  const bytes = Buffer.from(text);
  for (let size = 1; size <= bytes.length; size += 1) {
    const lines: string[] = [];
    const cutter = createLineCutter((one) => lines.push(one));
    for (let at = 0; at < bytes.length; at += size) cutter.add(bytes.subarray(at, at + size));
    cutter.end();
    expect(lines).toEqual(['eins', 'zwei ä', 'drei']);
  }
});

test('a line that comes in many pieces takes no longer than many lines', () => {
  const lengths: number[] = [];
  const cutter = createLineCutter((one) => lengths.push(one.length));
  const piece = Buffer.alloc(4096, 'x');
  for (let count = 0; count < 16_384; count += 1) cutter.add(piece);
  cutter.end();
  expect(lengths).toEqual([64 * 1024 * 1024]);
});
