import { describe, expect, test } from 'vitest';
import { runProgram } from '../../../src/cli/program.ts';

async function run(...args: readonly string[]) {
  const written = { out: '', err: '' };
  const exitCode = await runProgram(args, {
    version: '1.2.3',
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
  });
  return { ...written, exitCode };
}

describe('a command line that cannot be read', () => {
  test.each([
    ['a command that there is not', ['nope'], "unknown command 'nope'"],
    ['an option that there is not', ['status', '--nope'], "unknown option '--nope'"],
    ['the same, of a command behind a command', ['keys', 'list', '--nope'], "unknown option '--nope'"],
    ['an argument that is missing', ['keys', 'retire'], "missing required argument 'key'"],
    ['an option that is missing', ['withdraw', 'jq-1-r0'], "required option '--reason <text>' not specified"],
    ['a number that is none', ['rollback', 'abc'], 'the number of a generation is due'],
    ['a port that is none', ['demo', '--port', '70000'], 'a port from 0 to 65535 is due'],
  ])('ends with 2 and says how it is written: %s', async (_, args, message) => {
    const text = await run(...args);
    expect(text).toMatchObject({ out: '', exitCode: 2 });
    expect(text.err).toMatch(/^error request\.invalid: /);
    expect(text.err).toContain(message);
    expect(text.err).toContain('`regrow COMMAND --help`');

    const json = await run(...args, '--json');
    expect(json).toMatchObject({ err: '', exitCode: 2 });
    expect(JSON.parse(json.out)).toMatchObject({
      error: { code: 'request.invalid', message: expect.stringContaining(message), retry: 'never' },
    });
  });

  test('a command that needs another one behind it shows which there are', async () => {
    const { out, err, exitCode } = await run('keys');
    expect({ out, exitCode }).toEqual({ out: '', exitCode: 2 });
    expect(err).toMatch(/rotate/);
    const json = await run('keys', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: 'request.invalid' } });
  });

  test('what stands behind -- is no option', async () => {
    expect(await run('explain', 'a', '--', '--json')).toMatchObject({ out: '', exitCode: 2 });
  });
});

test.each([['status'], ['keys', 'list'], ['config', 'check'], ['check']])(
  'the help of %s %s says that it takes a configuration',
  async (...args) => {
    const { out, exitCode } = await run(...args, '--help');
    expect(exitCode).toBe(0);
    expect(out).toContain('--config <file>');
  },
);

test('says its version', async () => {
  expect(await run('--version')).toEqual({ out: '1.2.3\n', err: '', exitCode: 0 });
});
