declare module "virtual:examples" {
  /** Prose, or a flow that it asks about. */
  export type Part =
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "ask"; readonly from: string; readonly to: string; readonly port?: string; readonly sent?: string };

  export interface Example {
    readonly name: string;
    readonly title: string;
    readonly about: string;
    readonly story: readonly Part[];
    readonly documents: readonly (readonly [name: string, text: string])[];
  }
  export const examples: readonly Example[];
}
