import { readFileSync } from 'node:fs';
import type { StepWatch } from '../ports/step-watch.ts';
import { countProcesses, processBrake } from './sandbox-processes.ts';

/** Milliseconds between two looks. */
const interval = 100;

export function createStepWatch(): StepWatch {
  return { watch, brake: processBrake };
}

/** Synchronous, for the reason that `countProcesses` is. */
function watch(statusFile: string, limit: number, onExceeded: () => void): () => void {
  const timer = setInterval(() => {
    const { namespace, init } = newestSandbox(statusFile);
    if (namespace === undefined || countProcesses(namespace, limit) <= limit) return;
    clearInterval(timer);
    // The first process of the pid namespace takes all others along.
    if (init !== undefined) end(init);
    onExceeded();
  }, interval);
  return () => clearInterval(timer);
}

function newestSandbox(statusFile: string): { readonly namespace?: number; readonly init?: number } {
  let text: string;
  try {
    text = readFileSync(statusFile, 'utf8');
  } catch {
    // No step has begun.
    return {};
  }
  const newest = text.slice(Math.max(0, text.lastIndexOf('"child-pid"')));
  // Ids of what has ended may be others' by now.
  if (newest.includes('"exit-code"')) return {};
  const number = (key: string): number | undefined => {
    const found = new RegExp(`"${key}"\\s*:\\s*(\\d+)`).exec(newest)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const namespace = number('pid-namespace');
  const init = number('child-pid');
  return { ...(namespace === undefined ? {} : { namespace }), ...(init === undefined ? {} : { init }) };
}

function end(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
