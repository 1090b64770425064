import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', './test/support/counts-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: {
        'src/model/**': { lines: 95 },
        'src/decide/**': { lines: 95 },
        'src/bump/**': { lines: 95 },
        'src/plan/**': { lines: 95 },
      },
    },
  },
});
