import { describe, expect, it } from 'vitest';
import { createPace, type PaceTime } from '../../../../src/adapters/network/pace.ts';

/** Time that moves on by what is slept. */
function handTime(): PaceTime & { at: number } {
  const time = {
    at: 0,
    now: () => time.at,
    async sleep(milliseconds: number) {
      time.at += milliseconds;
    },
  };
  return time;
}

describe('createPace', () => {
  it('keeps a gap between the requests to a host, and none between hosts', async () => {
    const time = handTime();
    const pace = createPace({ perSecond: (host) => (host === 'slow' ? 1 : 5), time });
    const starts: number[] = [];
    for (let count = 0; count < 4; count += 1) {
      const leave = await pace.enter('a');
      starts.push(time.at);
      leave();
    }
    expect(starts).toEqual([0, 200, 400, 600]);
    (await pace.enter('b'))();
    expect(time.at).toBe(600);
    (await pace.enter('slow'))();
    (await pace.enter('slow'))();
    expect(time.at).toBe(1600);
  });

  it('lets two in at a time, the others in their order, and hands the turn of one that was stopped on', async () => {
    const pace = createPace({ perSecond: () => 1e9, time: handTime() });
    const order: string[] = [];
    const [first, second] = [await pace.enter('a'), await pace.enter('a')];
    const stop = new AbortController();
    const stopped = pace.enter('a', stop.signal);
    const third = pace.enter('a').then((leave) => {
      order.push('third');
      return leave;
    });
    const fourth = pace.enter('a').then(() => order.push('fourth'));
    stop.abort();
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
    expect(order).toEqual([]);
    first();
    first();
    (await third)();
    await fourth;
    expect(order).toEqual(['third', 'fourth']);
    second();
  });

  it('refuses at once while a host wants to be left alone, also those who wait already', async () => {
    const time = handTime();
    const pace = createPace({ perSecond: (host) => (host === 'unpaced' ? undefined : 5), atOnce: 1, time });
    const leave = await pace.enter('a');
    const waiting = pace.enter('a');
    pace.leaveAlone('a', 30);
    pace.leaveAlone('a', 10);
    leave();
    await expect(waiting).rejects.toMatchObject({ code: 'upstream.rate-limited', retryAfter: 30 });
    time.at = 20_500;
    await expect(pace.enter('a')).rejects.toMatchObject({ retryAfter: 10 });
    time.at = 30_001;
    (await pace.enter('a'))();
    pace.leaveAlone('b', 1e12);
    await expect(pace.enter('b')).rejects.toMatchObject({ retryAfter: 86_400 });
    pace.leaveAlone('unpaced', 5);
    await expect(pace.enter('unpaced')).rejects.toMatchObject({ code: 'upstream.rate-limited' });
  });
});
