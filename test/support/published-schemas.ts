import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const sources = join(import.meta.dirname, 'validators');
/** Made by `scripts/setup --tools`. */
const environment = join(homedir(), '.local/share/regrow/validators');

/** A document that is held to what its authors publish: an SPDX 2.3 document, or an in-toto statement v1 with its predicate. */
export interface PublishedDocument {
  readonly name: string;
  readonly kind: 'spdx' | 'statement';
  /** JSON */
  readonly text: string;
}

/** Whether this machine has the validators, and of the versions that are asked for; says why not. */
export function hasValidators(): boolean {
  const made = join(environment, 'made-from');
  const asked = ['requirements.txt', 'schema-source.txt'].map((name) => readFileSync(join(sources, name), 'utf8'));
  const has = existsSync(made) && readFileSync(made, 'utf8') === asked.join('');
  if (!has) {
    process.stderr.write(
      `skipped: ${environment} does not have the validators of SPDX and in-toto (scripts/setup --tools)\n`,
    );
  }
  return has;
}

const answer = z.record(z.string(), z.array(z.string()));

/** What the published schemas and the projects' own validators find wrong, by the name of the document; all in one process. */
export function violations(documents: readonly PublishedDocument[]): Readonly<Record<string, readonly string[]>> {
  const said = execFileSync(join(environment, 'bin/python'), ['-I', join(sources, 'validate.py')], {
    input: JSON.stringify({ documents }),
    maxBuffer: 64 * 1024 * 1024,
  });
  return answer.parse(JSON.parse(said.toString('utf8')));
}
