# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The package: what it does, what it raises, and all of testdata/."""

import array
import json
import threading
import unittest
from pathlib import Path

import netverdict
from netverdict import Engine, Error, View, pack_questions, unpack_verdicts

TESTDATA = Path(__file__).resolve().parents[3] / "testdata"

PODS = """
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]
"""


def text(value):
    return value if isinstance(value, str) else "\n".join(value) + "\n"


def rule(found):
    """A rule as worlds name it: ``Kind/namespace/name@line``."""
    name = found["rule"]
    if name.count("/") == 1:
        name = name.replace("/", "//")
    return name + ("@" + found["at"].split(":")[-2] if "at" in found else "")


def shop():
    engine = Engine()
    engine.apply("pods.yaml", PODS)
    engine.apply("policy.yaml", POLICY)
    engine.commit()
    return engine


class Calls(unittest.TestCase):
    def test_errors(self):
        engine = shop()
        with self.assertRaises(Error) as caught:
            engine.explain("shop/wep", "shop/db", port="1/TCP")
        error = caught.exception
        self.assertEqual((error.status, error.code), ("NETVERDICT_PEER", "NV0620"))
        self.assertIn("did you mean `shop/web`?", str(error))
        for call, status in [
            (lambda: engine.remove("nothing"), "NETVERDICT_NOT_FOUND"),
            (lambda: Engine({"nothing": 1}), "NETVERDICT_JSON"),
            (lambda: View(b"x"), "NETVERDICT_TABLE_SHORT"),
            (lambda: netverdict.answer_scenario({"polices": []}), "NETVERDICT_JSON"),
            (lambda: Engine(identities=b"no state"), "NETVERDICT_IDENTITY_STATE"),
            (lambda: engine.view().verdict(0, 1, 6, 80, 2), "NETVERDICT_BAD_ARGUMENT"),
        ]:
            with self.assertRaises(Error) as caught:
                call()
            self.assertEqual(caught.exception.status, status)
        engine.close()
        engine.close()
        with self.assertRaises(Error) as caught:
            engine.commit()
        self.assertEqual(caught.exception.status, "NETVERDICT_NULL_ARGUMENT")

    def test_what_is_printed_is_short(self):
        with Engine() as engine:
            engine.apply("pods.yaml", PODS)
            engine.apply("policy.yaml", POLICY)
            update = engine.commit()
            self.assertGreater(sum(len(w.data) for w in update.writes), 100_000)
            said = repr(update) + repr(engine.policy("shop/db"))
            self.assertLess(len(said), 4096)
            self.assertIn("put=", said)

    def test_questions(self):
        with shop() as engine:
            found = engine.check("bad.yaml", POLICY.replace("ingress:", "ingres:"))
            self.assertEqual((found[0]["file"], found[0]["line"]), ("bad.yaml", 7))
            why = engine.explain("shop/web", "shop/db", port="5432/TCP")
            self.assertEqual(why["verdict"], "allow")
            self.assertRegex(why["ingress"]["rules"][0]["at"], r":7:\d+$")
            self.assertEqual(engine.explain("shop/web", "shop/db", port=5432)["verdict"], "allow")
            policy = engine.policy("shop/db")
            self.assertTrue(policy.ingress_enforced and not policy.egress_enforced)
            self.assertEqual(len(policy.keys), 12 * len(policy.entries))
            self.assertEqual(len(policy.values), len(policy.keys))
            web = engine.identity("shop/web")
            self.assertEqual(engine.identity_labels(web)[0], "k8s:app=web")
            self.assertIsInstance(engine.remarks(), list)
            self.assertEqual(engine.revision, 1)

    def test_tables(self):
        with shop() as engine, engine.view() as view:
            db, web = engine.subject("shop/db"), engine.identity("shop/web")
            verdict = view.verdict(db.subject, web, 6, 5432)
            self.assertTrue(verdict.allowed)
            self.assertEqual(str(verdict), "allow")
            rows = [(db.subject, netverdict.INGRESS, web, 6, port) for port in (5432, 5433)]
            rows.append((99, netverdict.EGRESS, web, 6, 1))
            expected = [view.verdict(s, i, p, q, d) for s, d, i, p, q in rows]
            self.assertEqual(unpack_verdicts(view.verdicts(pack_questions(rows))), expected)
            self.assertEqual([str(v) for v in expected], ["allow", "default-deny", "default-deny"])
            self.assertEqual(expected[2].flags, 128)
            columns = (array.array("I", [web, web]), bytes([6, 6]), array.array("H", [5432, 5433]))
            answers = view.columns(db.subject, netverdict.INGRESS, *columns)
            self.assertEqual(unpack_verdicts(answers), expected[:2])
            room = bytearray(16)
            self.assertIs(view.verdicts(pack_questions(rows[:1]), room), room)
            for call in [
                lambda: view.verdicts(bytes(15)),
                lambda: view.verdicts(bytes(32), bytearray(16)),
                lambda: view.columns(0, 0, array.array("I", [1]), b"", array.array("H")),
            ]:
                self.assertRaises(ValueError, call)
            self.assertRaises(BufferError, lambda: view.verdicts(bytes(16), bytes(16)))
            self.assertRaises(
                BufferError, lambda: view.columns(0, 0, array.array("H", [1]), b"1", array.array("H", [1]))
            )
            self.assertEqual(view.subject_of_identity(db.identity), db.subject)
            self.assertEqual(view.subject_of_endpoint(db.endpoint), db.subject)
            self.assertIsNone(view.subject_of_endpoint(999))
            self.assertEqual(view.image(), engine.image())
            self.assertEqual(View(bytearray(engine.image())).verdict(db.subject, web, 6, 5432), verdict)

    def test_objects_without_yaml(self):
        with Engine({"config": {"enforcement": "always"}}) as engine:
            labels = {"k8s:app": "web", "k8s:io.kubernetes.pod.namespace": "shop"}
            engine.set_namespace("shop", {"team": "shop"})
            engine.set_identity(70000, labels)
            engine.set_endpoint("shop", "web", identity=70000, labels=labels, addresses=["10.0.0.1"])
            engine.set_endpoint("shop", "db", labels={"app": "db"}, ports=[("sql", 6, 5432)])
            engine.set_service("out", "api", addresses=["203.0.113.7"])
            engine.set_name("api.example.com", ["203.0.113.8"])
            engine.apply(
                "p",
                """{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: shop},
 spec: {endpointSelector: {matchLabels: {app: web}}, egress: [
  {toServices: [{k8sService: {serviceName: api, namespace: out}}]}, {toFQDNs: [{matchName: api.example.com}]}]}}""",
            )
            update = engine.commit()
            self.assertEqual((update.revision, len(update.maps)), (1, 1))
            self.assertEqual(len(update.maps[0].put_keys), 24)
            self.assertEqual(engine.identity("10.0.0.1"), 70000)
            for to, verdict in {
                "203.0.113.7": "allow",
                "api.example.com": "allow",
                "203.0.113.9": "default-deny",
            }.items():
                self.assertEqual(engine.explain("shop/web", to, port="443/TCP")["verdict"], verdict)
            with Engine(identities=engine.save_identities()) as other:
                self.assertEqual(other.revision, 0)
            engine.set_name("api.example.com", [])
            engine.remove_service("out", "api")
            engine.remove_endpoint("shop", "db")
            engine.remove_identity(70000)
            engine.remove_namespace("shop")
            engine.commit()
            engine.end_grace_period()

    def test_a_copy_follows_updates(self):
        with Engine() as engine:
            image = bytearray(engine.image())
            engine.apply("pods.yaml", PODS)
            for port in range(1000, 1006):
                engine.apply("policy.yaml", POLICY.replace("5432", str(port)))
                for write in engine.commit().writes:
                    if write.kind == 3:
                        image = bytearray(write.data)
                    image[write.at : write.at + len(write.data)] = write.data
                self.assertEqual(image, engine.image())

    def test_threads(self):
        engine = shop()
        wrong = []

        def ask():
            for _ in range(10):
                verdict = engine.explain("shop/web", "shop/db", port="5432/TCP")["verdict"]
                if verdict not in ("allow", "default-deny"):
                    wrong.append(verdict)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for port in range(5432, 5440):
            engine.apply("policy.yaml", POLICY.replace("5432", str(port)))
            engine.commit()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


LAYER7 = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: web}}]
    toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET, path: /docs}]}}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: names, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
  egress:
  - toEndpoints: [{matchLabels: {app: db}}]
  - toFQDNs: [{matchName: api.example.com}]
  - toCIDR: [192.0.2.53/32]
    toPorts: [{ports: [{port: "53", protocol: UDP}], rules: {dns: [{matchPattern: "*.example.com"}]}}]
"""


class Layer7(unittest.TestCase):
    def setUp(self):
        self.engine = shop()
        self.engine.remove("policy.yaml")
        self.engine.apply("layer7.yaml", LAYER7)
        self.engine.commit()
        self.addCleanup(self.engine.close)

    def test_requests_and_queries(self):
        web = {"from_": "shop/web", "to": "shop/db", "port": "80/TCP"}
        dns = {"from_": "shop/web", "to": "192.0.2.53", "port": "53/UDP"}
        for flow, outcome in [
            ({**web, "http": {"method": "GET", "path": "/docs"}}, "forwarded"),
            ({**web, "http": {"method": "GET", "path": "/", "headers": [["X-A", "1"]]}}, "403"),
            ({**dns, "dns": "api.example.com"}, "forwarded"),
            ({**dns, "dns": "example.org"}, "refused"),
        ]:
            self.assertEqual(self.engine.verdict(**flow)["layer7"]["outcome"], outcome, flow)
            self.assertEqual(self.engine.explain(**flow)["layer7"]["outcome"], outcome, flow)
        said = self.engine.verdict(**web, http={"method": "GET", "path": "/"})
        [tried] = said["layer7"]["ingress"]["tried"]
        self.assertEqual(tried["rules"][0]["rule"], "CiliumNetworkPolicy/shop/api")
        self.assertIn("miss", tried)
        self.assertEqual(said["ingress"]["redirect"]["proxyPort"], 10001)
        self.assertNotIn("layer7", self.engine.verdict(**web))
        with self.assertRaises(Error) as caught:
            self.engine.verdict(**web, http={"method": "GET", "path": "docs"})
        self.assertEqual(caught.exception.status, "NETVERDICT_JSON")

    def check(self, verdict):
        self.engine.commit()
        said = self.engine.verdict("shop/web", "192.0.2.7", port="443/TCP")
        self.assertEqual(said["verdict"], verdict)

    def test_names_are_learned(self):
        self.check("default-deny")
        self.engine.learn("api.example.com", ["192.0.2.7"], ttl=30, at=1000, endpoint=7)
        self.check("allow")
        self.engine.expire_names(60_000)
        self.engine.keep_alive(7, "192.0.2.7", 70_000)
        self.engine.end_keep_alive(7, 70_000)
        self.engine.expire_names(120_000)
        self.check("allow")
        self.engine.forget_names(7)
        self.engine.expire_names(300_000)
        self.engine.expire_names(600_000)
        self.check("default-deny")
        with Engine({"learning": {"maxHeld": 1}}) as small, self.assertRaises(Error) as caught:
            small.learn("a.example", ["192.0.2.7"], ttl=1, at=0)
        self.assertEqual(caught.exception.status, "NETVERDICT_FULL")

    def test_reach_and_diff(self):
        pairs = {(c["from"], c["to"]) for c in self.engine.reach()["connections"]}
        self.assertIn(("shop/web[Pod]", "shop/db[Pod]"), pairs)
        denied = self.engine.reach(by_pod=True, with_denied=True)["connections"]
        self.assertGreater(len(denied), len(pairs))
        self.assertEqual(self.engine.diff(self.engine)["changes"], [])
        with Engine() as empty:
            empty.commit()
            self.assertIn("shop/db[Pod]", empty.diff(self.engine)["disappeared"])

    def test_proxies(self):
        policy = self.engine.proxy_policy("shop/db")
        self.assertIn(80, [p.get("port") for p in policy["ingressPerPortPolicies"]])
        subject, web = self.engine.subject("shop/db").subject, self.engine.identity("shop/web")

        def port():
            self.engine.commit()
            with self.engine.view() as view:
                return view.verdict(subject, web, 6, 80).proxy_port

        self.assertEqual(port(), 10001)
        self.engine.set_proxy_ports([netverdict.ProxyPort(netverdict.INGRESS, 6, 80, 15000)])
        self.assertEqual(port(), 15000)
        self.engine.set_proxy_ports([])
        self.assertEqual(port(), 0)
        self.engine.use_stand_in_ports()
        self.assertEqual(port(), 10001)

    def test_origins(self):
        with View(self.engine.compile()) as view:
            subject = view.subject_of_identity(self.engine.identity("shop/db"))
            [rule] = view.origin(subject, self.engine.identity("shop/web"), 6, 80)
            self.assertEqual((rule.rule, rule.line), ("CiliumNetworkPolicy/shop/api", 8))
        with self.engine.view() as own, self.assertRaises(Error) as caught:
            own.origin(0, 0, 6, 80)
        self.assertEqual(caught.exception.status, "NETVERDICT_NOT_FOUND")

    def test_exchange(self):
        question = {"rules": [{"path": "/docs"}], "q": [{"method": "GET", "host": "", "path": "/docs"}]}
        self.assertTrue(netverdict.answer_layer7("http", question)["q"][0]["allowed"])


class Cases(unittest.TestCase):
    """Every scenario: verdicts, and the table says the same."""

    def test_cases(self):
        words = {"allowed": {"allow"}, "redirect": {"redirect"}, "auth": {"auth-required"}}
        asked = 0
        for path in sorted((TESTDATA / "cases").rglob("*.json")):
            case = json.loads(path.read_text())
            scenario = case["scenario"]
            scenario["policies"] = [text(p) for p in scenario.get("policies", [])]
            answer = netverdict.answer_scenario(scenario)
            verdicts = [q["verdict"] for q in answer["queries"]]
            expected = [q["verdict"] for q in case["expect"].get("queries", [])]
            self.assertEqual(verdicts, expected, path.name)
            with View(netverdict.compile_scenario(scenario)) as view:
                for query, found in zip(scenario.get("queries", []), answer["queries"]):
                    subject = view.subject_of_identity(query.get("endpoint", 0))
                    if subject is None or found["verdict"] == "error":
                        continue
                    direction = int(query["direction"] == "egress")
                    protocol = PROTOCOLS.get(query.get("proto") or "TCP", query.get("proto"))
                    port = query.get("port", 0)
                    verdict = view.verdict(subject, found.get("peer", 0), int(protocol), port, direction)
                    allowed = words.get(found["verdict"], {"deny", "default-deny"})
                    self.assertIn(str(verdict), allowed, f"{path.name}: {query}")
                    asked += 1
        self.assertGreater(asked, 500)


PROTOCOLS = {
    "TCP": 6, "UDP": 17, "SCTP": 132, "ICMP": 1, "ICMPv6": 58, "VRRP": 112, "IGMP": 2,
    "GRE": 47, "IPIP": 4, "IPV6": 41, "ESP": 50, "AH": 51, "ANY": 0,
}  # fmt: skip


class Worlds(unittest.TestCase):
    """Every world: flows, maps and identities."""

    def test_worlds(self):
        files = sorted((TESTDATA / "worlds").glob("*.json"))
        self.assertGreater(len(files), 50)
        for path in files:
            with self.subTest(path.stem):
                self.world(json.loads(path.read_text()))

    def world(self, case):
        objects = case["world"].pop("objects")
        expect = case["expect"]
        with Engine(case["world"]) as engine:
            for i, document in enumerate(objects):
                engine.apply(str(i), text(document))
            engine.commit()
            for flow, expected in zip(case["flows"], expect.get("flows", []), strict=True):
                flow["from_"] = flow.pop("from")
                why = engine.explain(**flow)
                self.assertEqual(why["verdict"], expected["verdict"], flow)
                for name in ("egress", "ingress"):
                    self.side(engine, why[name], expected.get(name))
            for subject, expected in zip(case.get("maps", []), expect.get("maps", []), strict=True):
                if expected.get("error"):
                    self.assertRaises(Error, engine.policy, subject)
                    continue
                policy = engine.policy(subject)
                self.assertEqual(policy.ingress_enforced, expected["ingressEnabled"])
                self.assertEqual(policy.egress_enforced, expected["egressEnabled"])
                self.assertEqual(len(policy.entries), len(expected["map"]))
            for of, expected in zip(case.get("identities", []), expect.get("identities", []), strict=True):
                identity = engine.identity(of)
                self.assertEqual(engine.identity_labels(identity), expected.get("labels", []))
                self.assertIn(expected.get("id", 0), (0, identity))

    def side(self, engine, found, expected):
        self.assertEqual(found is None, expected is None)
        if found is None:
            return
        rules = {rule(r) for r in found["rules"]}
        self.assertEqual(sorted(rules), expected.get("rules", []))
        self.assertEqual(found["verdict"], expected.get("verdict", ""))
        self.assertEqual(found["matchType"], expected.get("match", ""))
        self.assertEqual(found["code"], expected.get("code", 0))
        self.assertEqual(found.get("redirect", {}).get("parser", ""), expected.get("parser", ""))
        authentication = ["", "spire", "test-always-fail"][expected.get("auth", 0)]
        self.assertEqual(found.get("authentication", ""), authentication)
        if peer := expected.get("peer"):
            self.assertEqual(found["peer"], int(peer) if peer.isdigit() else engine.identity(peer))


if __name__ == "__main__":
    unittest.main()
