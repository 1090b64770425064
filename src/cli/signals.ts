/**
 * A signal that aborts with the first SIGINT or SIGTERM: time to end in good order. The second one ends the process at once.
 * Call `end` when the work is over.
 */
export function interrupted(): { readonly signal: AbortSignal; readonly end: () => void } {
  const controller = new AbortController();
  const on = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    controller.abort(new DOMException(`stopped by ${name}`, 'AbortError'));
  };
  process.on('SIGINT', on);
  process.on('SIGTERM', on);
  return {
    signal: controller.signal,
    end() {
      process.off('SIGINT', on);
      process.off('SIGTERM', on);
    },
  };
}
