package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/statedb"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/yaml"

	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/loadbalancer"
	policyk8s "github.com/cilium/cilium/pkg/policy/k8s"
	policyutils "github.com/cilium/cilium/pkg/policy/utils"
	"github.com/cilium/cilium/pkg/source"
)

// worldsFolder holds the cases about Kubernetes objects.
const worldsFolder = "../../../testdata/worlds"

// TestServices has the agent translate toServices of the worlds' policies, and compares with what
// the cases say it makes of them.
func TestServices(t *testing.T) {
	files, err := filepath.Glob(worldsFolder + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	translated := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var world struct {
			World struct {
				Objects [][]string `json:"objects"`
			} `json:"world"`
			Translated [][]string `json:"translated"`
		}
		if err := json.Unmarshal(text, &world); err != nil {
			t.Fatal(path, err)
		}
		if len(world.Translated) == 0 {
			continue
		}
		translated++
		t.Run(filepath.Base(path), func(t *testing.T) {
			got := servicesOf(t, world.World.Objects)
			var want []string
			for _, lines := range world.Translated {
				want = append(want, peersOf(t, policyOf(t, lines))...)
			}
			slices.Sort(want)
			diff(t, "peers", got, slices.Compact(want))
		})
	}
	if translated < 10 {
		t.Errorf("only %d worlds have services", translated)
	}
}

// servicesOf puts services and backends into the agent's tables, and translates the policies.
func servicesOf(t *testing.T, objects [][]string) []string {
	db := statedb.New()
	services, err := loadbalancer.NewServicesTable(loadbalancer.DefaultConfig, db)
	if err != nil {
		t.Fatal(err)
	}
	backends, err := loadbalancer.NewBackendsTable(db)
	if err != nil {
		t.Fatal(err)
	}
	txn := db.WriteTxn(services, backends)
	var policies []*ciliumv2.CiliumNetworkPolicy
	for _, lines := range objects {
		text := []byte(strings.Join(lines, "\n"))
		switch {
		case bytes.Contains(text, []byte("kind: Service\n")):
			var service corev1.Service
			if err := yaml.Unmarshal(text, &service); err != nil {
				t.Fatal(err)
			}
			_, _, err = services.Insert(txn, &loadbalancer.Service{
				Name:     loadbalancer.NewServiceName(service.Namespace, service.Name),
				Labels:   labels.Map2Labels(service.Labels, labels.LabelSourceK8s),
				Selector: service.Spec.Selector,
			})
		case bytes.Contains(text, []byte("kind: EndpointSlice\n")):
			var slice discoveryv1.EndpointSlice
			if err := yaml.Unmarshal(text, &slice); err != nil {
				t.Fatal(err)
			}
			name := loadbalancer.NewServiceName(slice.Namespace, slice.Labels[discoveryv1.LabelServiceName])
			for _, endpoint := range slice.Endpoints {
				if ready := endpoint.Conditions.Ready; ready != nil && !*ready {
					continue
				}
				for _, address := range endpoint.Addresses {
					cluster := cmtypes.AddrClusterFrom(netip.MustParseAddr(address), 0)
					_, _, err = backends.Insert(txn, &loadbalancer.Backend{
						ServiceName: name,
						Address: loadbalancer.NewL3n4Addr(
							loadbalancer.TCP, cluster, 8080, loadbalancer.ScopeExternal),
						Source: source.Kubernetes,
					})
				}
			}
		case bytes.Contains(text, []byte("kind: CiliumNetworkPolicy\n")):
			policies = append(policies, policyOf(t, lines))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read := txn.Commit()
	var peers []string
	for _, policy := range policies {
		policyk8s.ResolveToServices(read, services, backends, policy)
		peers = append(peers, peersOf(t, policy)...)
	}
	slices.Sort(peers)
	return slices.Compact(peers)
}

func policyOf(t *testing.T, lines []string) *ciliumv2.CiliumNetworkPolicy {
	t.Helper()
	policy := &ciliumv2.CiliumNetworkPolicy{}
	if err := yaml.Unmarshal([]byte(strings.Join(lines, "\n")), policy); err != nil {
		t.Fatal(err)
	}
	return policy
}

// peersOf lists every peer of every rule with its ports.
func peersOf(t *testing.T, policy *ciliumv2.CiliumNetworkPolicy) []string {
	t.Helper()
	rules, err := policy.Parse(quiet, "default")
	if err != nil {
		t.Fatal(err)
	}
	var peers []string
	for _, entry := range policyutils.RulesToPolicyEntries(rules) {
		ports, err := json.Marshal(entry.L4)
		if err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("ingress=%v verdict=%v ports=%s", entry.Ingress, entry.Verdict, ports)
		if len(entry.L3) == 0 {
			peers = append(peers, fmt.Sprintf("%s nobody named, everybody=%v", what, entry.L3 != nil))
		}
		for _, selector := range entry.L3 {
			peers = append(peers, fmt.Sprintf("%s %s", what, selector.Key()))
		}
	}
	return peers
}
