/** One thing that regrow stands on. `warn`: works, but not as well as it could; `fail`: something needed is missing. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly text: string;
  readonly remedy?: string;
}

export function ok(name: string, text: string): Check {
  return { name, state: 'ok', text };
}

export function warn(name: string, text: string, remedy: string): Check {
  return { name, state: 'warn', text, remedy };
}

export function fail(name: string, text: string, remedy?: string): Check {
  return { name, state: 'fail', text, ...(remedy === undefined ? {} : { remedy }) };
}
