// The question that every sample answers: may the shop's front end ask its
// database?

export const documents = {
  "shop.yaml": `apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
`,
  "db.yaml": `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: web}}]
    toPorts: [{ports: [{port: "5432", protocol: TCP}]}]
`,
};

export function answer(Engine) {
  const engine = new Engine();
  for (const [name, text] of Object.entries(documents)) engine.set(name, text);
  const ask = (port) => engine.verdict({ from: "shop/web", to: "shop/db", port });
  const open = ask("5432/TCP");
  const answer = { open: open.verdict, by: open.ingress.rules[0].at, closed: ask("22/TCP").verdict };
  engine.free();
  return answer;
}
