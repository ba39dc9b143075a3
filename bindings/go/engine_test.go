// SPDX-License-Identifier: Apache-2.0 OR MIT

//go:build cgo

package netverdict

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

const pods = `
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}}
`

const policy = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]
`

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func shop(t *testing.T) *Engine {
	t.Helper()
	engine := must(New(nil))
	t.Cleanup(engine.Close)
	must(engine.Apply("pods.yaml", pods))
	must(engine.Apply("policy.yaml", policy))
	must(engine.Commit())
	return engine
}

func TestErrorsHaveStatusCodeAndPlace(t *testing.T) {
	engine := shop(t)
	_, err := engine.Explain(Flow{From: "shop/wep", To: "shop/db", Port: "1/TCP"})
	var failed *Error
	if !errors.As(err, &failed) || !errors.Is(err, StatusPeer) || failed.Code != "NV0620" {
		t.Fatalf("%#v", err)
	}
	if !strings.Contains(failed.Message, "did you mean `shop/web`?") {
		t.Error(failed.Message)
	}
	if StatusPeer.Error() != "NETVERDICT_PEER" {
		t.Error(StatusPeer.Error())
	}
	if err := engine.Remove("nothing"); !errors.Is(err, StatusNotFound) {
		t.Error(err)
	}
	if _, err := New(&Options{Strictness: "none"}); !errors.Is(err, StatusJSON) {
		t.Error(err)
	}
	if _, err := LoadView([]byte("x")); !errors.Is(err, StatusTableShort) {
		t.Error(err)
	}
	if _, err := AnswerScenario([]byte(`{"polices":[]}`)); !errors.Is(err, StatusJSON) {
		t.Error(err)
	}
	engine.Close()
	engine.Close()
	if _, err := engine.Commit(); !errors.Is(err, StatusNullArgument) {
		t.Error(err)
	}
}

func TestDiagnosticsHavePlaces(t *testing.T) {
	engine := shop(t)
	found := must(engine.Check("bad.yaml", strings.Replace(policy, "ingress:", "ingres:", 1)))
	if len(found) == 0 || found[0].File != "bad.yaml" || found[0].Line != 7 || found[0].Code == "" {
		t.Fatalf("%+v", found)
	}
	must(engine.Remarks())
}

func TestQuestions(t *testing.T) {
	engine := shop(t)
	why := must(engine.Explain(Flow{From: "shop/web", To: "shop/db", Port: "5432/TCP"}))
	if why.Verdict != "allow" || why.Ingress == nil || !strings.HasPrefix(why.Ingress.Rules[0].At, "policy.yaml:7:") {
		t.Errorf("%+v", why)
	}
	policy := must(engine.Policy("shop/db"))
	if !policy.IngressEnforced || policy.EgressEnforced || len(policy.Keys) != len(policy.Entries)*12 {
		t.Errorf("%+v", policy)
	}
	web := must(engine.Identity("shop/web"))
	if labels := must(engine.IdentityLabels(web)); labels[0] != "k8s:app=web" {
		t.Error(labels)
	}
	subject := must(engine.Subject("shop/db"))
	view := must(engine.View())
	defer view.Close()
	q := Question{Subject: subject.Subject, Identity: web, Protocol: 6, Port: 5432}
	if v := must(view.Verdict(&q)); !v.Allowed() || v.String() != "allow" {
		t.Error(v)
	}
	q.Port = 5433
	verdicts := make([]Verdict, 2)
	if err := view.Verdicts([]Question{q, {Subject: 99}}, verdicts); err != nil {
		t.Fatal(err)
	}
	if verdicts[0].String() != "default-deny" || verdicts[0].Flags != 0 || verdicts[1].Flags == 0 {
		t.Error(verdicts)
	}
	if err := view.Verdicts([]Question{q, q, q}, verdicts); !errors.Is(err, StatusBadArgument) {
		t.Error(err)
	}
	q.Direction = 2
	if _, err := view.Verdict(&q); !errors.Is(err, StatusBadArgument) {
		t.Error(err)
	}
	if n, ok := view.SubjectOfIdentity(subject.Identity); !ok || n != subject.Subject {
		t.Error(n)
	}
	if n, ok := view.SubjectOfEndpoint(subject.Endpoint); !ok || n != subject.Subject {
		t.Error(n)
	}
	if !bytes.Equal(view.Image(), engine.Image()) {
		t.Error("images differ")
	}
}

func TestObjectsWithoutYAML(t *testing.T) {
	engine := must(New(&Options{Config: map[string]any{"enforcement": "always"}}))
	defer engine.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(engine.SetNamespace("shop", map[string]string{"team": "shop"}))
	check(engine.SetIdentity(70000, map[string]string{"k8s:app": "web", "k8s:io.kubernetes.pod.namespace": "shop"}))
	check(engine.SetEndpoint(Endpoint{
		Namespace: "shop", Name: "web", Identity: 70000, Addresses: []string{"10.0.0.1"},
		Labels: map[string]string{"k8s:app": "web", "k8s:io.kubernetes.pod.namespace": "shop"},
	}))
	check(engine.SetEndpoint(Endpoint{
		Namespace: "shop", Name: "db", Labels: map[string]string{"app": "db"},
		Ports: []NamedPort{{"sql", 6, 5432}},
	}))
	check(engine.SetService(Service{Namespace: "out", Name: "api", Addresses: []string{"203.0.113.7"}}))
	check(engine.SetName("api.example.com", "203.0.113.8"))
	must(engine.Apply("p", `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: shop},
 spec: {endpointSelector: {matchLabels: {app: web}}, egress: [
  {toServices: [{k8sService: {serviceName: api, namespace: out}}]}, {toFQDNs: [{matchName: api.example.com}]}]}}`))
	update := must(engine.Commit())
	// Nothing is in the map of db, whom no rule is about.
	if update.Revision != 1 || len(update.Maps) != 1 || len(update.Maps[0].PutKeys) != 2*12 {
		t.Errorf("%d: %+v", update.Revision, update.Maps)
	}
	if id := must(engine.Identity("10.0.0.1")); id != 70000 {
		t.Error(id)
	}
	for to, verdict := range map[string]string{
		"203.0.113.7": "allow", "api.example.com": "allow", "203.0.113.9": "default-deny", "shop/db": "default-deny",
	} {
		if why := must(engine.Explain(Flow{From: "shop/web", To: to, Port: "443/TCP"})); why.Verdict != verdict {
			t.Errorf("%s: %s", to, why.Verdict)
		}
	}
	if err := engine.SetName("a.example.com", "300.0.0.1"); !errors.Is(err, StatusBadArgument) {
		t.Error(err)
	}
	saved := must(engine.SaveIdentities())
	next := must(New(&Options{Identities: saved}))
	next.Close()
	check(engine.SetName("api.example.com"))
	check(engine.RemoveService("out", "api"))
	check(engine.RemoveEndpoint("shop", "db"))
	check(engine.RemoveIdentity(70000))
	check(engine.RemoveNamespace("shop"))
	must(engine.Commit())
	check(engine.EndGracePeriod())
	if engine.Revision() != 2 {
		t.Error(engine.Revision())
	}
}

// A copy that follows the updates is the engine's image.
func TestUpdates(t *testing.T) {
	engine := must(New(nil))
	defer engine.Close()
	image := engine.Image()
	for i := range 6 {
		must(engine.Apply("pods.yaml", pods))
		must(engine.Apply("policy.yaml", strings.ReplaceAll(policy, "5432", fmt.Sprint(1000+i))))
		for _, w := range must(engine.Commit()).Writes {
			if w.Kind == WriteReplace {
				image = append([]byte(nil), w.Data...)
			}
			copy(image[w.At:], w.Data)
		}
		if !bytes.Equal(image, engine.Image()) {
			t.Fatalf("commit %d: images differ", i)
		}
	}
}

func TestGoroutines(t *testing.T) {
	engine := shop(t)
	view := must(engine.View())
	subject, web := must(engine.Subject("shop/db")), must(engine.Identity("shop/web"))
	var group sync.WaitGroup
	for i := range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := range 10 {
				if i == 0 {
					must(engine.Apply("policy.yaml", strings.ReplaceAll(policy, "5432", fmt.Sprint(5432+j%2))))
					must(engine.Commit())
					continue
				}
				q := Question{Subject: subject.Subject, Identity: web, Protocol: 6, Port: 5432}
				if v := must(view.Verdict(&q)); !v.Allowed() {
					t.Error(v)
				}
				must(engine.Explain(Flow{From: "shop/web", To: "shop/db", Port: "5432/TCP"}))
			}
		}()
	}
	group.Wait()
}
