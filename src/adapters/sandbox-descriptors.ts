import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

/** O_CLOEXEC (open(2)), as /proc says it: such a descriptor does not reach a child. */
const closeOnExec = 0o2000000;

/**
 * What a child is given from its descriptor `from` on, so that it has nothing of what whoever started this process left open in it
 * (a lock, a socket, a file with a secret): every child would have it too. Node closes the first sixteen and what it opened
 * itself (libuv `uv_disable_stdio_inheritance`), no others. `close` is for after the start.
 */
export function hideInherited(from: number): { readonly stdio: readonly ('ignore' | number)[]; close(): void } {
  const inherited = new Set(inheritedDescriptors());
  const nothing = openSync('/dev/null', 'r');
  const count = Math.max(0, Math.max(0, ...inherited) - from + 1);
  return {
    // `ignore` leaves such a descriptor as it is.
    stdio: Array.from({ length: count }, (_, i) => (inherited.has(i + from) ? nothing : 'ignore')),
    close: () => closeSync(nothing),
  };
}

function inheritedDescriptors(): readonly number[] {
  return readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((descriptor) => {
      try {
        const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1];
        return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
      } catch {
        // That of the list itself.
        return false;
      }
    });
}
