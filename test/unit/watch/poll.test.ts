import { describe, expect, it, vi } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import { pollSources } from '../../../src/watch/poll.ts';
import type { PollAnswer } from '../../../src/watch/source.ts';
import { httpAnswer, watchPorts } from '../../support/watch-ports.ts';

describe('many sources', () => {
  it('are asked, whatever a host of one of them says', async () => {
    const ports = watchPorts({
      http: async ({ url }) => {
        if (url.startsWith('https://busy.example.org')) {
          throw new RegrowError('upstream.rate-limited', 'busy', { retry: 'later', retryAfter: 90 });
        }
        return url.includes('gone') ? httpAnswer('', { status: 404 }) : httpAnswer('{"tags":["1.0"]}');
      },
    });
    const sources = [
      'oci:busy.example.org/a',
      'oci:quay.io/gone',
      'oci:busy.example.org/b',
      'oci:quay.io/c',
      'no:such',
    ];
    const told = new Map<string, PollAnswer['kind']>();
    const unasked = await pollSources(
      sources.map((source) => ({ source })),
      ports,
      async ({ source }, answer) => {
        expect(told.has(source)).toBe(false);
        told.set(source, answer.kind);
      },
    );
    expect(Object.fromEntries(told)).toEqual({
      'oci:quay.io/gone': 'failed',
      'oci:quay.io/c': 'observed',
      'no:such': 'failed',
    });
    expect(unasked).toEqual({ sources: ['oci:busy.example.org/a', 'oci:busy.example.org/b'], retryAfter: 90 });
  });

  it('are not kept back by a host that takes its time; of that host one is asked after the other', async () => {
    const asked: string[] = [];
    const waiting: (() => void)[] = [];
    const ports = watchPorts({
      http: async ({ url }) => {
        asked.push(new URL(url).host + new URL(url).pathname.replace('/tags/list', ''));
        if (url.startsWith('https://slow.')) await new Promise<void>((resolve) => waiting.push(resolve));
        return httpAnswer('{"tags":["1.0"]}');
      },
    });
    const names = ['slow.example.org/a', 'slow.example.org/b', 'quay.io/c', 'quay.io/d', 'ghcr.io/e'];
    const told: string[] = [];
    const polling = pollSources(
      names.map((name) => ({ source: `oci:${name}` })),
      ports,
      async ({ source }) => void told.push(source),
    );
    await vi.waitUntil(() => told.length === 3);
    expect(told.toSorted()).toEqual(['oci:ghcr.io/e', 'oci:quay.io/c', 'oci:quay.io/d']);
    expect(asked.filter((place) => place.startsWith('slow.'))).toEqual(['slow.example.org/v2/a']);
    waiting.shift()?.();
    await vi.waitUntil(() => waiting.length === 1);
    waiting.shift()?.();
    expect(await polling).toEqual({ sources: [] });
    expect(told.slice(3)).toEqual(['oci:slow.example.org/a', 'oci:slow.example.org/b']);
  });

  it('end when the poll is stopped, or what is told cannot be kept', async () => {
    const stopped = watchPorts({ http: () => Promise.reject(new RegrowError('aborted', 'stopped')) });
    const requests = [{ source: 'oci:quay.io/a' }, { source: 'oci:quay.io/b' }];
    await expect(pollSources(requests, stopped, async () => {})).rejects.toMatchObject({ code: 'aborted' });
    const ports = watchPorts({ http: async () => httpAnswer('{"tags":[]}') });
    const full = () => Promise.reject(new RegrowError('storage.full', 'no space'));
    await expect(pollSources(requests, ports, full)).rejects.toMatchObject({ code: 'storage.full' });
  });
});
