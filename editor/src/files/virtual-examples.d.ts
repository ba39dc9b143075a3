declare module "virtual:examples" {
  export interface Example {
    readonly name: string;
    readonly title: string;
    readonly about: string;
    readonly documents: readonly (readonly [name: string, text: string])[];
  }
  export const examples: readonly Example[];
}
