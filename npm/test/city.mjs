// A cluster to measure with: namespaces of ten workloads, and policies of every
// kind that people write, each in a document of its own.

/** Numbers that are the same in every run. */
export function dice(seed) {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const ROLES = ["web", "api", "auth", "cart", "search", "mail", "queue", "cache", "db", "jobs"];
const PORTS = [8080, 9090, 5432, 6379, 443];

export function city(workloads, policies) {
  const roll = dice(7);
  const documents = new Map();
  const namespaces = Math.ceil(workloads / ROLES.length);
  const names = [];
  for (let n = 0; n < namespaces; n += 1) {
    const namespace = `team-${n}`;
    const objects = [`apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}, labels: {team: t${n % 7}}}\n`];
    for (const role of ROLES.slice(0, workloads - n * ROLES.length)) {
      names.push([namespace, role]);
      objects.push(
        `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${role}, namespace: ${namespace}}\nspec:\n` +
          `  selector: {matchLabels: {app: ${role}}}\n  template:\n    metadata: {labels: {app: ${role}, tier: ${roll(2) ? "front" : "back"}}}\n` +
          `    spec: {containers: [{name: c, ports: [{name: http, containerPort: ${PORTS[roll(PORTS.length)]}}]}]}\n`,
      );
    }
    documents.set(`apps/${namespace}.yaml`, objects.join("---\n"));
  }
  for (let p = 0; p < policies; p += 1) {
    const [namespace, role] = names[p % names.length];
    const [otherNamespace, other] = names[roll(names.length)];
    const port = PORTS[roll(PORTS.length)];
    documents.set(`policies/${namespace}-${role}-${p}.yaml`, policy(p, { namespace, role, otherNamespace, other, port, roll }));
  }
  return documents;
}

function policy(p, { namespace, role, otherNamespace, other, port, roll }) {
  const cilium = `apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: ${role}-${p}\n  namespace: ${namespace}\nspec:\n` +
    `  endpointSelector:\n    matchLabels:\n      app: ${role}\n`;
  const peer = `    - matchLabels:\n        app: ${other}\n        k8s:io.kubernetes.pod.namespace: ${otherNamespace}\n`;
  const ports = (key = "") => `    toPorts:\n    - ports:\n      - port: "${port}"\n        protocol: TCP\n${key}`;
  switch (p % 8) {
    case 0:
      return `${cilium}  ingress:\n  - fromEndpoints:\n    - matchLabels:\n        app: ${other}\n${ports()}`;
    case 1:
      return `${cilium}  egress:\n  - toEndpoints:\n${peer}${ports()}  - toEntities:\n    - kube-apiserver\n`;
    case 2:
      return `${cilium}  ingress:\n  - fromCIDR:\n    - 10.${roll(40)}.0.0/16\n${ports()}`;
    case 3:
      return `${cilium}  ingress:\n  - fromEndpoints:\n${peer}${ports("      rules:\n        http:\n        - method: GET\n          path: /v1/.*\n")}`;
    case 4:
      return `${cilium}  egress:\n  - toEndpoints:\n    - matchLabels:\n        k8s:io.kubernetes.pod.namespace: kube-system\n        k8s-app: kube-dns\n    toPorts:\n    - ports:\n` +
        `      - port: "53"\n        protocol: UDP\n      rules:\n        dns:\n        - matchPattern: "*"\n  - toFQDNs:\n    - matchName: api${roll(9)}.example.com\n`;
    case 5:
      return `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: ${role}-${p}\n  namespace: ${namespace}\nspec:\n` +
        `  podSelector:\n    matchLabels:\n      app: ${role}\n  policyTypes: [Ingress]\n  ingress:\n  - from:\n    - namespaceSelector:\n        matchLabels:\n          team: t${roll(7)}\n` +
        `    ports:\n    - port: ${port}\n`;
    case 6:
      return `${cilium}  ingress:\n  - fromEndpoints:\n    - {}\n  ingressDeny:\n  - fromEndpoints:\n${peer}`;
    default:
      return `${cilium}  ingress:\n  - fromEntities:\n    - world\n${ports()}`;
  }
}

/** What somebody types: document after document, a text for each keystroke. */
export function* typing(documents, count) {
  const roll = dice(11);
  const policies = [...documents.keys()].filter((name) => name.startsWith("policies/"));
  let left = count;
  while (left > 0) {
    const name = policies[roll(policies.length)];
    const text = documents.get(name);
    const rules = /\n  (ingress|egress):\n/.exec(text);
    const at = rules.index + rules[0].length;
    const more = rules[1] === "ingress"
      ? ["  - fromEntities:\n    - cluster\n", "  - fromEndpoints:\n    - matchLabels:\n        app: web\n", `  - fromCIDR:\n    - 192.0.${roll(99)}.0/24\n`]
      : ["  - toEntities:\n    - cluster\n", "  - toEndpoints:\n    - matchLabels:\n        app: db\n", `  - toCIDR:\n    - 192.0.${roll(99)}.0/24\n`];
    const rule = text.includes("podSelector") ? "  - ports:\n    - port: 8443\n" : more[roll(more.length)];
    // Typed from left to right, then taken out again at once.
    for (let n = 1; n <= rule.length && left > 0; n += 1, left -= 1) {
      yield [name, text.slice(0, at) + rule.slice(0, n) + text.slice(at)];
    }
    if (left > 0) {
      yield [name, text];
      left -= 1;
    }
  }
}
