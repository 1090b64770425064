import { describe, expect, it } from 'vitest';
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

  it('end when the poll is stopped, or what is told cannot be kept', async () => {
    const stopped = watchPorts({ http: () => Promise.reject(new RegrowError('aborted', 'stopped')) });
    const requests = [{ source: 'oci:quay.io/a' }, { source: 'oci:quay.io/b' }];
    await expect(pollSources(requests, stopped, async () => {})).rejects.toMatchObject({ code: 'aborted' });
    const ports = watchPorts({ http: async () => httpAnswer('{"tags":[]}') });
    const full = () => Promise.reject(new RegrowError('storage.full', 'no space'));
    await expect(pollSources(requests, ports, full)).rejects.toMatchObject({ code: 'storage.full' });
  });
});
