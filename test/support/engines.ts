import { findEngine } from '../../src/adapters/engine-program.ts';
import { engineFolders } from '../../src/config/engine-folders.ts';

/** The path of one of them on this machine; says once why what needs it is skipped, where it is not there. */
export async function engineOrSkip(name: 'melange' | 'apko' | 'cosign'): Promise<string | undefined> {
  const program = await findEngine(name, engineFolders());
  if (program === undefined) {
    process.stderr.write(
      `skipped: ${name} is not on the PATH, nor in $REGROW_ENGINES (scripts/setup --engines builds it)\n`,
    );
  }
  return program;
}
