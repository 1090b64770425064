import type { Config } from '../config/schema.ts';
import { webUrl } from './parts.ts';

/** Hosts that mean this machine, to whoever reads them. */
const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * The address of the repository of recipes as SBOMs and provenance name it, without user, password and query; undefined where
 * nobody but this machine can reach it: a folder, or a host that is this machine.
 */
export function recipeAddress(config: Pick<Config, 'forge'>): string | undefined {
  const { kind, repository, webUrl: web } = config.forge;
  const address = kind === 'github' ? `${webUrl(config)}/${repository}` : (web ?? repository);
  if (!URL.canParse(address)) return undefined;
  const { protocol, hostname, origin, pathname } = new URL(address);
  if (!['http:', 'https:'].includes(protocol) || loopback.test(hostname)) return undefined;
  return `${origin}${pathname}`.replace(/\/+$/, '');
}
