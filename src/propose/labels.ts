import type { Decision } from '../model/decision.ts';

/** Labels of a pull request: whose it is, what it is, and whether it may not wait. */
export function labelsOf(update: { readonly urgency: Decision['urgency'] }): readonly string[] {
  return ['regrow', 'package-update', ...(update.urgency === 'security' ? ['security'] : [])];
}
