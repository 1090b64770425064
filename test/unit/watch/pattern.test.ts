import { describe, expect, it } from 'vitest';
import { compileGoPattern } from '../../../src/model/go-pattern.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { chooseSource } from '../../../src/watch/choice.ts';
import { findVersions } from '../../../src/watch/pattern.ts';
import { pollSource } from '../../../src/watch/poll.ts';
import type { WatchPorts } from '../../../src/watch/source.ts';

function recipe(annotations: Readonly<Record<string, string>>) {
  const lines = Object.entries(annotations).map(([key, value]) => `    dev.regrow.${key}: ${JSON.stringify(value)}`);
  const text = ['package:', '  name: r', '  version: "1"', '  epoch: 0', '  annotations:', ...lines];
  return parseRecipe('r.yaml', `${text.join('\n')}\n`).recipe;
}

describe('a page with a pattern', () => {
  const source = 'page:https://example.org/list.json';

  it('is one place for those who look for the same on it', () => {
    const pattern = '"version": "([0-9.]+)"';
    const choice = { key: `${source} ${pattern}`, chosenBy: 'annotation' };
    expect(chooseSource(recipe({ source, pattern }))).toEqual(choice);
    expect(chooseSource(recipe({ source, pattern: `${pattern}$` }))?.key).not.toBe(choice.key);
  });

  it.each([
    [{ source, pattern: '(unclosed' }, 'recipe.pattern-invalid'],
    [{ source, pattern: '(?<=x)([0-9]+)' }, 'recipe.pattern-invalid'],
    [{ source, pattern: 'no group' }, 'recipe.pattern-invalid'],
    [{ source, pattern: '(?:no group)' }, 'recipe.pattern-invalid'],
    // Each character of a page would cost a thousand steps.
    [{ source, pattern: '((?:\\w+\\.?){0,300}[xyz])' }, 'recipe.pattern-invalid'],
    [{ source }, 'recipe.annotation-invalid'],
    [{ source: 'page:file:///etc/passwd', pattern: '(.*)' }, 'recipe.annotation-invalid'],
    [{ source: 'sourceforge:libpng', pattern: '(' }, 'recipe.pattern-invalid'],
    [{ source: 'npm:left-pad', pattern: '(.*)' }, 'recipe.annotation-invalid'],
    [{ pattern: '(.*)' }, 'recipe.annotation-invalid'],
  ])('%j is the fault of that recipe', (annotations, code) => {
    expect(() => chooseSource(recipe(annotations as Record<string, string>))).toThrow(
      expect.objectContaining({ code, where: expect.objectContaining({ package: 'r' }) }),
    );
  });
});

describe('findVersions', () => {
  it('takes the first group of every match, each once', () => {
    expect(findVersions(compileGoPattern('v([0-9.]+)(-.*)?'), 'v1.0-x\nv2.0\nv1.0\nv', 'u')).toEqual(['1.0', '2.0']);
    expect(findVersions(compileGoPattern('a(b)?'), 'a ab', 'u')).toEqual(['b']);
  });

  it('ends with a pattern that stalls other engines', () => {
    expect(findVersions(compileGoPattern('(a*)*b(x)'), 'a'.repeat(100_000), 'u')).toEqual([]);
  });
});

describe('a SourceForge project without a pattern', () => {
  it('has the archives that are called like it', async () => {
    const titles = [
      '/expat/2.6.4/expat-2.6.4.tar.xz',
      '/expat/2.6.4/expat-2.6.4.tar.xz.asc',
      '/expat_win32/2.6.3/expat-win32bin-2.6.3.exe',
      '/expat/2.6.2/expat-2.6.2-src.tar.gz',
      '/Expat_2.6.1.zip',
      '/expat/2.6.0rc1/expat-v2.6.0rc1.tgz',
      '/other/other-9.9.tar.gz',
    ];
    const items = titles.map(
      (title, at) => `<item><title>${title}</title><pubDate>Mon, 0${7 - at} Jan 2024 00:00:00 UT</pubDate></item>`,
    );
    const body = Buffer.from(`<rss><channel>${items.join('')}</channel></rss>`);
    const ports = {
      http: { request: async () => ({ status: 200, headers: { 'content-type': 'text/xml' }, body }) },
      clock: { now: () => new Date() },
    } as unknown as WatchPorts;
    const answer = await pollSource({ source: 'sourceforge:expat' }, ports);
    expect(answer).toMatchObject({ kind: 'observed' });
    expect(answer.kind === 'observed' ? answer.observation.tags.map(({ tag }) => tag) : []).toEqual([
      '2.6.4',
      '2.6.2',
      '2.6.1',
      '2.6.0rc1',
    ]);
  });
});
