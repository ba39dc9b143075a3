// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

import (
	"bytes"
	"errors"
	"testing"
)

const layer7 = `
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
`

func layer7Shop(t *testing.T) *Engine {
	t.Helper()
	engine := must(New(nil))
	t.Cleanup(engine.Close)
	must(engine.Apply("pods.yaml", pods))
	must(engine.Apply("layer7.yaml", layer7))
	must(engine.Commit())
	return engine
}

func TestRequestsAndQueries(t *testing.T) {
	engine := layer7Shop(t)
	web := Flow{From: "shop/web", To: "shop/db", Port: "80/TCP"}
	dns := Flow{From: "shop/web", To: "192.0.2.53", Port: "53/UDP"}
	for _, c := range []struct {
		flow    Flow
		http    *Request
		dns     string
		outcome string
	}{
		{web, &Request{Method: "GET", Path: "/docs"}, "", "forwarded"},
		{web, &Request{Method: "GET", Path: "/admin", Headers: [][2]string{{"X-A", "1"}}}, "", "403"},
		{dns, nil, "api.example.com", "forwarded"},
		{dns, nil, "example.org", "refused"},
		{Flow{From: "shop/web", To: "shop/db", Port: "81/TCP"}, &Request{Method: "GET", Path: "/"}, "", ""},
	} {
		c.flow.HTTP, c.flow.DNS = c.http, c.dns
		said := must(engine.Verdict(c.flow))
		if said.Layer7 == nil || said.Layer7.Outcome != c.outcome {
			t.Errorf("%+v: %+v", c, said.Layer7)
		}
		why := must(engine.Explain(c.flow))
		if why.Layer7 == nil || why.Layer7.Outcome != c.outcome || why.Verdict != said.Verdict {
			t.Errorf("%+v: %+v", c, why.Layer7)
		}
	}
	web.HTTP = &Request{Method: "GET", Path: "/admin"}
	said := must(engine.Verdict(web))
	tried := said.Layer7.Ingress.Tried
	if len(tried) != 1 || tried[0].Miss == "" || tried[0].Rules[0].Rule != "CiliumNetworkPolicy/shop/api" {
		t.Errorf("%+v", tried)
	}
	if r := said.Ingress.Redirect; r == nil || r.Parser != "http" || r.ProxyPort != 10001 {
		t.Errorf("%+v", r)
	}
	web.HTTP.Path = "admin"
	if _, err := engine.Verdict(web); !errors.Is(err, StatusJSON) {
		t.Error(err)
	}
}

func TestNamesAreLearned(t *testing.T) {
	engine := layer7Shop(t)
	check := func(verdict string) {
		t.Helper()
		must(engine.Commit())
		said := must(engine.Verdict(Flow{From: "shop/web", To: "192.0.2.7", Port: "443/TCP"}))
		if said.Verdict != verdict {
			t.Errorf("%s, not %s", said.Verdict, verdict)
		}
	}
	done := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("default-deny")
	answer := DNSAnswer{Name: "api.example.com", Addresses: []string{"192.0.2.7"}, TTL: 30, At: 1000, Endpoint: 7}
	done(engine.Learn(answer))
	check("allow")
	done(engine.ExpireNames(60_000))
	done(engine.KeepAlive(7, "192.0.2.7", 70_000))
	done(engine.EndKeepAlive(7, 70_000))
	done(engine.ExpireNames(120_000))
	check("allow")
	done(engine.ForgetNames(7))
	done(engine.ExpireNames(300_000))
	done(engine.ExpireNames(600_000))
	check("default-deny")
	answer.Addresses = []string{"nowhere"}
	if err := engine.Learn(answer); !errors.Is(err, StatusBadArgument) {
		t.Error(err)
	}
	small := must(New(&Options{Learning: &Learning{MaxHeld: 1}}))
	defer small.Close()
	answer.Addresses = []string{"192.0.2.7"}
	if err := small.Learn(answer); !errors.Is(err, StatusFull) {
		t.Error(err)
	}
}

func TestReachAndDiff(t *testing.T) {
	engine := layer7Shop(t)
	reach := must(engine.Reach(Reaching{}))
	if !bytes.Contains(reach, []byte(`"from":"shop/web[Pod]","to":"shop/db[Pod]"`)) {
		t.Errorf("%s", reach)
	}
	all := must(engine.Reach(Reaching{ByPod: true, WithDenied: true}))
	if len(all) <= len(reach) {
		t.Errorf("%s", all)
	}
	other := layer7Shop(t)
	if err := other.Remove("layer7.yaml"); err != nil {
		t.Fatal(err)
	}
	must(other.Commit())
	diff := must(other.Diff(engine, Reaching{}))
	if !bytes.Contains(diff, []byte(`"kind":"opened"`)) || !bytes.Contains(diff, []byte("layer7.yaml:")) {
		t.Errorf("%s", diff)
	}
	if same := must(engine.Diff(engine, Reaching{})); !bytes.Contains(same, []byte(`"changes":[]`)) {
		t.Errorf("%s", same)
	}
	if _, err := engine.Diff(engine, Reaching{WithDenied: true}); !errors.Is(err, StatusBadArgument) {
		t.Error(err)
	}
}

func TestProxies(t *testing.T) {
	engine := layer7Shop(t)
	if policy := must(engine.ProxyPolicy("shop/db")); !bytes.Contains(policy, []byte(`"port":80`)) {
		t.Errorf("%s", policy)
	}
	q := Question{
		Subject: must(engine.Subject("shop/db")).Subject, Identity: must(engine.Identity("shop/web")),
		Protocol: 6, Port: 80,
	}
	check := func(port uint16) {
		t.Helper()
		must(engine.Commit())
		view := must(engine.View())
		defer view.Close()
		if v := must(view.Verdict(&q)); v.ProxyPort != port {
			t.Errorf("%+v, not %d", v, port)
		}
	}
	check(10001)
	if err := engine.SetProxyPorts(ProxyPort{Direction: Ingress, Protocol: 6, Port: 80, ProxyPort: 15000}); err != nil {
		t.Fatal(err)
	}
	check(15000)
	if err := engine.SetProxyPorts(); err != nil {
		t.Fatal(err)
	}
	check(0)
	if err := engine.UseStandInPorts(); err != nil {
		t.Fatal(err)
	}
	check(10001)
}

func TestOrigins(t *testing.T) {
	engine := layer7Shop(t)
	view := must(LoadView(must(engine.Compile())))
	defer view.Close()
	subject, ok := view.SubjectOfIdentity(must(engine.Identity("shop/db")))
	q := Question{Subject: subject, Identity: must(engine.Identity("shop/web")), Protocol: 6, Port: 80}
	rules := must(view.Origin(&q))
	if !ok || len(rules) != 1 || rules[0].Rule != "CiliumNetworkPolicy/shop/api" || rules[0].Line != 8 {
		t.Errorf("%+v", rules)
	}
	own := must(engine.View())
	defer own.Close()
	if _, err := own.Origin(&Question{}); !errors.Is(err, StatusNotFound) {
		t.Error(err)
	}
}

func TestLayer7Exchange(t *testing.T) {
	question := `{"rules":[{"path":"/docs"}],"q":[{"method":"GET","host":"","path":"/docs"}]}`
	if answer := must(AnswerLayer7("http", question)); !bytes.Contains(answer, []byte(`"allowed":true`)) {
		t.Errorf("%s", answer)
	}
	if _, err := AnswerLayer7("ftp", "{}"); !errors.Is(err, StatusBadArgument) {
		t.Error(err)
	}
}
