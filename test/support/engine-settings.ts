import type { EngineSettings } from '../../src/plan/lock-build.ts';

/** The host engine builds everything, unless something else is said. */
export function engineSettingsOf(more: Partial<EngineSettings> = {}): EngineSettings {
  return {
    choiceOf: () => 'host',
    hostRefuses: () => false,
    versions: { host: 1, melange: 1 },
    melange: { version: 'v0.59.1', runner: 'bubblewrap', network: false },
    ...more,
  };
}
