import type { ConductorContext } from './context.ts';

/** Says something on the forge once: `key` names what it is about, `value` what was said. */
export async function sayOnce(
  context: ConductorContext,
  key: string,
  value: string,
  say: () => Promise<void>,
): Promise<void> {
  if (context.book.get('cursor', key)?.value.cursor === value) return;
  await say();
  await context.book.put('cursor', key, { cursor: value });
}
