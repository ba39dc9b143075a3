package oracle

import (
	"encoding/json"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cilium/cilium/pkg/envoy"
	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/proxy/accesslog"
)

// firstListenerPort is the first of the ports that stand in for those of custom listeners.
const firstListenerPort = 20001

// networkPolicy is the policy of an endpoint as the agent sends it to Envoy.
func networkPolicy(owner *subjectEndpoint, distilled *policy.EndpointPolicy) (json.RawMessage, error) {
	selectors := distilled.SelectorPolicy.GetSelectorSnapshot()
	defer selectors.Invalidate()
	message := envoy.GetNetworkPolicy(owner, distilled.SelectorPolicy.GetEgressNamedPorts, selectors, nil,
		&distilled.SelectorPolicy.L4Policy,
		distilled.SelectorPolicy.IngressPolicyEnabled, distilled.SelectorPolicy.EgressPolicyEnabled,
		false, true, secretsNamespace, quiet,
		envoypolicy.NewEnvoyL7RulesTranslator(quiet, secretsBySDS{}))
	return protojson.Marshal(message)
}

// listenerPorts gives ports to the custom listeners of both directions, in order of their names.
func listenerPorts(selectors policy.SelectorPolicy) map[string]uint16 {
	names := map[string]uint16{}
	for _, use := range selectors.RedirectFilters() {
		if listener := use.Policy.GetListener(); listener != "" {
			names[listener] = 0
		}
	}
	for i, name := range slices.Sorted(maps.Keys(names)) {
		names[name] = uint16(firstListenerPort + i)
	}
	return names
}

func (e *subjectEndpoint) GetPolicyNames() []string   { return nil }
func (e *subjectEndpoint) GetIPv4Address() string     { return "" }
func (e *subjectEndpoint) GetIPv6Address() string     { return "" }
func (e *subjectEndpoint) OnProxyPolicyUpdate(uint64) {}

func (e *subjectEndpoint) UpdateProxyStatistics(
	string, string, uint16, uint16, bool, bool, accesslog.FlowVerdict,
) {
}

func (e *subjectEndpoint) GetListenerProxyPort(listener string) uint16 {
	return e.listeners[listener]
}
