package oracle

import (
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestExample(t *testing.T) {
	text, err := os.ReadFile("../testdata/example/scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../testdata/example/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(mustRun(t, string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(tree(t, got), tree(t, want)) {
		t.Errorf("answer differs from testdata/example/answer.json:\n%s", got)
	}
}

// TestPrefixes checks what prefixes inherit from those around them, and their numbers.
func TestPrefixes(t *testing.T) {
	answer := mustRun(t, `{
	 "cidrGroups": [
	  {"name": "g", "labels": {"role": "db"}, "cidrs": ["10.0.0.0/8", "bad"]},
	  {"name": "h", "cidrs": ["192.0.2.0/25", "192.0.2.128/25"]}],
	 "policies": ["apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\nspec:\n  endpointSelector: {}\n  egress:\n  - toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]\n  - toCIDR: [0.0.0.0/0, '2001:db8::/32', 9.9.9.9]\n"],
	 "identities": [
	  {"id": 30001, "ip": "10.1.2.3", "labels": {"fqdn:*.a.io": ""}},
	  {"id": 30002, "ip": "1.1.1.1", "labels": {"fqdn:b.io": ""}},
	  {"id": 30003, "ip": "10.1.2.4", "labels": {"k8s:app": "x"}},
	  {"id": 30004, "cidr": "172.16.0.0/12"}]}`)
	want := map[string]string{
		"10.0.0.0/8":     "16777218 cidr:10.0.0.0/8 cidrgroup:io.cilium.policy.cidrgroupname/g cidrgroup:role+db cidrgroup:role=db reserved:world-ipv4",
		"10.1.0.0/16":    "16777219 cidr:10.1.0.0/16 cidrgroup:io.cilium.policy.cidrgroupname/g cidrgroup:role+db cidrgroup:role=db reserved:world-ipv4",
		"9.9.9.9/32":     "16777217 cidr:9.9.9.9/32 reserved:world-ipv4",
		"192.0.2.0/25":   "16777220 cidrgroup:io.cilium.policy.cidrgroupname/h reserved:world-ipv4",
		"192.0.2.128/25": "16777220 cidrgroup:io.cilium.policy.cidrgroupname/h reserved:world-ipv4",
		"2001:db8::/32":  "16777221 cidr:2001-db8--0/32 reserved:world-ipv6",
		"10.1.2.3/32":    "30001 cidr:10.1.0.0/16 cidrgroup:io.cilium.policy.cidrgroupname/g cidrgroup:role+db cidrgroup:role=db fqdn:*.a.io reserved:world-ipv4",
		"1.1.1.1/32":     "30002 fqdn:b.io reserved:world-ipv4",
		"10.1.2.4/32":    "30003 k8s:app=x",
		"172.16.0.0/12":  "30004 cidr:172.16.0.0/12 reserved:world-ipv4",
	}
	got := map[string]string{}
	for _, id := range answer.Identities {
		if id.Prefix != "" {
			text, _ := json.Marshal(id.ID)
			got[id.Prefix] = strings.Join(append([]string{string(text)}, id.Labels...), " ")
		}
	}
	for prefix, line := range want {
		if got[prefix] != line {
			t.Errorf("%s:\n got %s\nwant %s", prefix, got[prefix], line)
		}
		delete(got, prefix)
	}
	if len(got) > 0 {
		t.Errorf("unexpected: %v", got)
	}
}

// TestHostAddress checks that labels of a host's address go to the host, for one scenario only.
func TestHostAddress(t *testing.T) {
	labelled := mustRun(t, `{"identities": [
	 {"id": 1, "ip": "192.168.0.1", "labels": {"reserved:host": "", "reserved:kube-apiserver": ""}}]}`)
	plain := mustRun(t, `{}`)
	for _, c := range []struct {
		answer *Answer
		want   []string
	}{
		{labelled, []string{"reserved:host", "reserved:kube-apiserver"}},
		{plain, []string{"reserved:host"}},
	} {
		if got := c.answer.Identities[0]; got.ID != 1 || !reflect.DeepEqual(got.Labels, c.want) {
			t.Errorf("host is %+v, want labels %v", got, c.want)
		}
	}
}

func TestStages(t *testing.T) {
	const head = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n"
	text, err := json.Marshal(Scenario{
		Config: Config{EnforceSchema: true},
		Policies: []string{
			"a: [",
			"# nothing\n---\nkind: Pod\napiVersion: v1\n",
			head + "spec: {endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: '80', endPort: 70000}]}]}]}",
			head + "spec: {endpointSelector: {}, ingress: []}",
			"apiVersion: v1\nkind: List\nitems: [{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q}, spec: {podSelector: {}}}]",
			"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: r}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: x}}]}]}",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var stages []string
	for _, policy := range mustRun(t, string(text)).Policies {
		stages = append(stages, policy.Stage)
	}
	want := []string{stageYAML, stageDecode, stageSchema, stageParse, "", stageParse}
	if !reflect.DeepEqual(stages, want) {
		t.Errorf("stages %q, want %q", stages, want)
	}
}

func TestScenarioErrors(t *testing.T) {
	for _, text := range []string{
		`{`, `{} {}`, `{"unknown": 1}`, `{"config": {"enforcement": "maybe"}}`,
		`{"identities": [{"id": 1, "cidr": "x"}]}`, `{"queries": [{"direction": "up"}]}`,
		`{"queries": [{"direction": "egress", "endpoint": 1, "proto": "TCP"}]}`,
	} {
		if _, err := ParseScenario([]byte(text)); err == nil {
			t.Errorf("accepted %s", text)
		}
	}
}

func TestSplitDocuments(t *testing.T) {
	documents := SplitDocuments("a: 1\n--- # two\n\n---\nb: yes\n---\n{\"c\": 1.0}\n---\n: :\n  - x: [")
	var got []string
	for _, document := range documents {
		if document.Err != nil {
			got = append(got, "error")
		} else {
			got = append(got, string(document.JSON))
		}
	}
	want := []string{`{"a":1}`, `{"b":true}`, `{"c":1}`, "error"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestComparePrefixes(t *testing.T) {
	ordered := []string{"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "11.0.0.0/8", "::/0", "fd00::/8"}
	for i := 1; i < len(ordered); i++ {
		a, b := netip.MustParsePrefix(ordered[i-1]), netip.MustParsePrefix(ordered[i])
		if comparePrefixes(a, b) >= 0 {
			t.Errorf("%s is not before %s", a, b)
		}
	}
}

func mustRun(t *testing.T, text string) *Answer {
	t.Helper()
	scenario, err := ParseScenario([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Run(scenario, Options{Repeat: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Unstable) > 0 {
		t.Errorf("unstable: %v", answer.Unstable)
	}
	return answer
}

func tree(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
