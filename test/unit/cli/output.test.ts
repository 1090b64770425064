import { expect, test } from 'vitest';
import { createOutput, exitCodeOf, printError, runCommand } from '../../../src/cli/output.ts';
import { RegrowError } from '../../../src/errors.ts';

function streams(tty: boolean, noColor?: string) {
  const written = { out: '', err: '' };
  const output = createOutput({
    stdout: { isTTY: tty, columns: 80, write: (text: string) => (written.out += text) },
    stderr: { isTTY: tty, write: (text: string) => (written.err += text) },
    noColor,
  });
  return { output, written };
}

test('colours on a terminal, none in a pipe, none with NO_COLOR', () => {
  expect(streams(true).output.style).toEqual({ color: true, width: 80 });
  expect(streams(true, '1').output.style.color).toBe(false);
  expect(streams(true, '').output.style.color).toBe(true);
  expect(streams(false).output.style).toEqual({ color: false });
});

test('progress is for people, and is wiped before anything else is printed', () => {
  const pipe = streams(false);
  pipe.output.progress('half');
  expect(pipe.written.err).toBe('');
  const { output, written } = streams(true);
  output.progress('half');
  output.write('done\n');
  expect(written.err).toBe('half\r\u001b[K');
});

test('an error has its code, message, place and remedy; in JSON too', () => {
  const error = new RegrowError('config.invalid', 'must be a number', {
    file: 'regrow.yaml',
    line: 3,
    field: 'api.port',
    remedy: 'write 7420',
  });
  const text = streams(false);
  printError(text.output, error, false);
  expect(text.written.err).toBe('error config.invalid: must be a number (regrow.yaml:3, api.port)\n  write 7420\n');
  expect(text.output.exitCode).toBe(3);
  const json = streams(false);
  printError(json.output, error, true);
  expect(JSON.parse(json.written.out)).toMatchObject({
    error: { code: 'config.invalid', line: 3, remedy: 'write 7420' },
  });
});

test('a message that names the file says only what is open', () => {
  const text = streams(false);
  const error = { file: '/etc/regrow.yaml', field: '--config' };
  printError(text.output, new RegrowError('config.invalid', '/etc/regrow.yaml cannot be read', error), false);
  printError(text.output, new RegrowError('config.invalid', '--config /etc/regrow.yaml is empty', error), false);
  expect(text.written.err).toBe(
    'error config.invalid: /etc/regrow.yaml cannot be read (--config)\n' +
      'error config.invalid: --config /etc/regrow.yaml is empty\n',
  );
});

test('a message that begins with its place does not say it twice', () => {
  const error = new RegrowError('config.invalid', 'regrow.yaml:3: api.port: must be a number', {
    file: 'regrow.yaml',
    line: 3,
    field: 'api.port',
  });
  const text = streams(false);
  printError(text.output, error, false);
  expect(text.written.err).toBe('error config.invalid: regrow.yaml:3: api.port: must be a number\n');
});

test('what an error quotes cannot drive the terminal', () => {
  const { output, written } = streams(false);
  printError(output, new RegrowError('internal', 'bad \u001b]0;title\u0007 \u001b[2J name'), false);
  expect(written.err).not.toContain('\u001b');
});

test('the worst exit code counts; being stopped is no error', async () => {
  const { output, written } = streams(false);
  output.exit(1);
  await runCommand(output, false, async () => {
    throw new RegrowError('aborted', 'stopped');
  });
  expect(written.err).toBe('');
  expect(output.exitCode).toBe(1);
  await runCommand(output, false, async () => {
    throw new RegrowError('tool.missing', 'git is not installed');
  });
  expect(output.exitCode).toBe(3);
  output.exit(0);
  expect(output.exitCode).toBe(3);
  expect(exitCodeOf('request.invalid')).toBe(2);
  expect(exitCodeOf('build.step-failed')).toBe(1);
});
