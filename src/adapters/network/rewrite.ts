/** A mirror: addresses that start with `from` are asked at `to` instead. The longest `from` that fits wins. */
export interface UrlRewrite {
  readonly from: string;
  readonly to: string;
}

export function rewriteUrl(url: string, rules: readonly UrlRewrite[]): string {
  const fits = rules.filter((rule) => url.startsWith(rule.from)).sort((a, b) => b.from.length - a.from.length);
  const best = fits[0];
  return best === undefined ? url : best.to + url.slice(best.from.length);
}
