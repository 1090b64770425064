import { Command } from 'commander';
import { systemClock } from '../adapters/clock.ts';
import { sealImageKey } from '../adapters/keys/image-key.ts';
import type { KeyRing, KeyState, RingKey } from '../adapters/keys/key-ring.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { type Mood, renderTable } from '../report/table.ts';
import { keyRingOf } from '../roles/keys.ts';
import { statePaths } from '../roles/parts.ts';
import type { CliContext } from './context.ts';
import { type Output, runCommand } from './output.ts';

interface KeyFlags {
  readonly config?: string;
  readonly json?: boolean;
}

type Context = Pick<CliContext, 'output'>;

/** What a change of the ring takes to be seen. */
const afterwards = 'The publisher takes it up when it starts next: restart it.';
const moods: Readonly<Record<KeyState, Mood>> = { next: 'hold', signs: 'good', trusted: 'hold', retired: 'bad' };

/** Opens the configured ring, with the publisher's secrets alone, and does the work with it. */
async function withRing(
  output: Output,
  command: Command,
  work: (ring: KeyRing, json: boolean, loaded: LoadedConfig) => Promise<void>,
) {
  const { config: file, json = false } = command.optsWithGlobals<KeyFlags>();
  await runCommand(output, json, async () => {
    const loaded = loadConfig({ file, roles: ['publisher'] });
    await work(keyRingOf(loaded.config, loaded.secrets, systemClock), json, loaded);
  });
}

function subcommand(name: string, description: string): Command {
  return new Command(name).description(description).option('--json', 'print JSON');
}

function rowOf(key: RingKey) {
  return [
    { text: key.name },
    { text: key.state, mood: moods[key.state] },
    { text: key.since?.slice(0, 10) ?? '-' },
    { text: String(key.bits) },
    { text: key.sealed ? 'yes' : 'no' },
    { text: key.fingerprint.slice(0, 16) },
  ];
}

function listCommand({ output }: Context): Command {
  return subcommand('list', 'the keys, what each is for, and whether it lies sealed on the disk').action(
    (_flags: KeyFlags, command: Command) =>
      withRing(output, command, async (ring, json) => {
        const keys = await ring.list();
        if (json) output.json({ keys });
        else if (keys.length === 0) output.write('There is no key yet: the publisher makes the first one.\n');
        else {
          const heads = ['KEY', 'STATE', 'SINCE', 'BITS', 'SEALED', 'FINGERPRINT'];
          output.write(renderTable(heads, keys.map(rowOf), output.style));
        }
      }),
  );
}

function newCommand({ output }: Context): Command {
  return subcommand(
    'new',
    'makes a key: the first one, or one that is trusted from now on and signs after `rotate`',
  ).action((_flags: KeyFlags, command: Command) =>
    withRing(output, command, async (ring, json) => {
      const name = await ring.add();
      if (json) output.json({ made: name });
      else output.write(`${name}.rsa.pub is made. ${afterwards}\n`);
    }),
  );
}

function rotateCommand({ output }: Context): Command {
  return subcommand('rotate', 'the new key signs from now on; the old one stays trusted and signs indexes too').action(
    (_flags: KeyFlags, command: Command) =>
      withRing(output, command, async (ring, json) => {
        const { signs, before } = await ring.rotate();
        if (json) output.json({ signs, before });
        else output.write(`${signs}.rsa.pub signs from now on, ${before}.rsa.pub stays trusted. ${afterwards}\n`);
      }),
  );
}

function retireCommand({ output }: Context): Command {
  return subcommand('retire', 'takes an old key out of trust: it is neither served nor in images any more')
    .argument('<key>', 'its name, without .rsa')
    .action((name: string, _flags: KeyFlags, command: Command) =>
      withRing(output, command, async (ring, json) => {
        await ring.retire(name);
        if (json) output.json({ retired: name });
        else output.write(`${name}.rsa.pub is trusted no more. ${afterwards}\n`);
      }),
    );
}

function sealCommand({ output }: Context): Command {
  return subcommand('seal', 'seals the keys that lie open on the disk with REGROW_KEY_PASSPHRASE').action(
    (_flags: KeyFlags, command: Command) =>
      withRing(output, command, async (ring, json, { config, secrets: { keyPassphrase: passphrase } }) => {
        const sealed = [...(await ring.seal())];
        const image =
          passphrase === undefined ? undefined : await sealImageKey(statePaths(config).keys, { passphrase });
        if (image !== undefined) sealed.push(image);
        if (json) output.json({ sealed });
        else output.write(sealed.length === 0 ? 'All keys are sealed.\n' : `Sealed: ${sealed.join(', ')}.\n`);
      }),
  );
}

function exportCommand({ output }: Context): Command {
  return new Command('export')
    .description('prints a private key in PKCS#1 PEM, for melange or abuild: keep it where nobody else reads')
    .argument('<key>', 'its name, without .rsa')
    .action((name: string, _flags: KeyFlags, command: Command) =>
      withRing(output, command, async (ring) => output.write(await ring.export(name))),
    );
}

/** `regrow keys list | new | rotate | retire | seal | export`, on the publisher's machine. */
export function keysCommand(context: Context): Command {
  return new Command('keys')
    .description('the keys that packages and indexes are signed with: make, rotate, retire and seal them')
    .addCommand(listCommand(context))
    .addCommand(newCommand(context))
    .addCommand(rotateCommand(context))
    .addCommand(retireCommand(context))
    .addCommand(sealCommand(context))
    .addCommand(exportCommand(context));
}
