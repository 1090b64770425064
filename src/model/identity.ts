/** Where the token comes from that says who signs (OpenID Connect); the audience is `sigstore`. */
export type IdentitySource =
  /** Given at the start: it is good for minutes. */
  | { readonly kind: 'token'; readonly token: string }
  /** Read for each certificate, since whoever writes it there renews it: Kubernetes, for one. */
  | { readonly kind: 'file'; readonly path: string }
  /** Asked for with each certificate, where a workflow has `id-token: write`. */
  | { readonly kind: 'github'; readonly url: string; readonly token: string };
