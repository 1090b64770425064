/** How a registry wants to be asked: the WWW-Authenticate of its 401 (RFC 9110 section 11.6.1; distribution, "token authentication"). */
export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service: string | undefined };

/** A parameter with its value, quoted or not, or the word that a challenge begins with. */
const token = /([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([a-z]+)(?=[\s,]|$)/gi;

/** The first challenge that can be answered, tokens before passwords; undefined for none. */
export function parseChallenge(header: string): Challenge | undefined {
  const challenges: { readonly name: string; readonly parameters: Map<string, string> }[] = [];
  for (const [, name = '', quoted, plain = '', word] of header.matchAll(token)) {
    if (word !== undefined) challenges.push({ name: word.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain);
  }
  const bearer = challenges.find(({ name, parameters }) => name === 'bearer' && parameters.has('realm'))?.parameters;
  const realm = bearer?.get('realm');
  if (realm !== undefined) return { scheme: 'bearer', realm, service: bearer?.get('service') };
  return challenges.some(({ name }) => name === 'basic') ? { scheme: 'basic' } : undefined;
}
