package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/cilium/pkg/endpoint/regeneration"
	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	k8sconst "github.com/cilium/cilium/pkg/k8s/apis/cilium.io"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/types"
	"github.com/cilium/cilium/pkg/u8proto"
)

// firstProxyPort is the first of the ports that stand in for proxy listeners.
const firstProxyPort = 10001

// resolver computes the policies of a scenario's endpoints.
type resolver struct {
	scenario  *Scenario
	documents []*document
	world     *world
	repo      *policy.Repository
}

// inForce leaves out refused documents, and those that a later one of the same name replaces.
func inForce(documents []*document) []*document {
	var kept []*document
	for i, d := range documents {
		replaced := slices.ContainsFunc(documents[i+1:], func(later *document) bool {
			return later.Accepted && later.resource == d.resource
		})
		if d.Accepted && !replaced {
			kept = append(kept, d)
		}
	}
	return kept
}

// repository returns one filled as the agent's policy importer fills it.
func (r *resolver) repository() *policy.Repository {
	if r.repo != nil {
		return r.repo
	}
	all := r.world.labelMap()
	repo := policy.NewPolicyRepository(quiet, all, secretsBySDS{},
		envoypolicy.NewEnvoyL7RulesTranslator(quiet, secretsBySDS{}),
		identitymanager.NewIDManager(quiet), nil)
	repo.SetNamedPortsGetter(r.world)
	repo.UpdateIdentities(all, nil)
	for _, d := range inForce(r.documents) {
		if d.group == nil {
			repo.ReplaceByResource(d.entries, d.resource)
		}
	}
	r.repo = repo
	return repo
}

// endpoint resolves the policy of one subject.
func (r *resolver) endpoint(index int, options Options) EndpointAnswer {
	given := r.scenario.Endpoints[index]
	answer := EndpointAnswer{ID: given.ID, Map: []MapEntry{}}
	id := identity.NumericIdentity(given.ID)
	subject := r.world.identities[id]
	if subject == nil {
		answer.Error = fmt.Sprintf("no identity %d", id)
		return answer
	}
	owner := &subjectEndpoint{
		id:    uint64(index + 1),
		host:  id == identity.ReservedIdentityHost,
		ports: r.world.portsOf[id],
	}
	switch {
	case given.NamedPorts != nil:
		owner.ports = namedPortMap(given.NamedPorts)
	case owner.ports == nil:
		owner.ports = namedPortMap(r.scenario.NamedPorts)
	}
	err := guard("resolution", func() error {
		return r.resolve(subject, owner, options, &answer)
	})
	if err != nil {
		answer = EndpointAnswer{ID: given.ID, Map: []MapEntry{}, Error: err.Error()}
		r.repo = nil // a panic may have left it locked
	}
	return answer
}

func (r *resolver) resolve(
	subject *identity.Identity, owner *subjectEndpoint, options Options, answer *EndpointAnswer,
) error {
	selectors, err := r.repository().ResolvePolicy(subject)
	if err != nil {
		return err
	}
	owner.listeners = listenerPorts(selectors)
	redirects := newRedirects(selectors, owner)
	distilled := selectors.DistillPolicy(quiet, owner, redirects.ports)
	defer func() {
		distilled.Ready()
		distilled.Detach(quiet)
		selectors.Supersede()
	}()
	answer.IngressEnabled = distilled.SelectorPolicy.IngressPolicyEnabled
	answer.EgressEnabled = distilled.SelectorPolicy.EgressPolicyEnabled
	for key, value := range distilled.Entries() {
		entry := MapEntry{
			MapKey:       mapKey(key),
			Deny:         value.IsDeny(),
			Precedence:   uint32(value.Precedence),
			Priority:     uint32(value.Precedence.Priority()),
			ListenerPrio: uint8(value.Precedence.ListenerPriority()),
			Proxy:        value.ProxyPort,
			Auth:         value.AuthRequirement.AuthType().Uint8(),
			AuthExplicit: value.AuthRequirement.IsExplicit(),
			Cookie:       value.Cookie,
			Invalid:      !value.IsValid(),
		}
		entry.Parser, entry.Listener = redirects.describe(value)
		meta, err := distilled.GetRuleMeta(key)
		if err != nil {
			return err
		}
		entry.Rules = ruleNames(meta.LabelArray())
		answer.Map = append(answer.Map, entry)
	}
	slices.SortFunc(answer.Map, func(a, b MapEntry) int { return compareKeys(a.MapKey, b.MapKey) })
	if options.Proxy {
		answer.Proxy, err = networkPolicy(owner, distilled)
		if err != nil {
			return err
		}
	}
	if options.L4 {
		answer.L4 = l4Filters(&distilled.SelectorPolicy.L4Policy)
	}
	return nil
}

func mapKey(key policy.Key) MapKey {
	result := MapKey{
		Direction: "egress",
		ID:        uint32(key.Identity),
		Proto:     uint8(key.Nexthdr),
		Port:      key.DestPort,
		PortLen:   key.PortPrefixLen(),
		BPFLen:    staticPrefixBits,
	}
	if key.IsIngress() {
		result.Direction = "ingress"
	}
	if result.Proto != 0 || result.Port != 0 {
		result.BPFLen += protoBits
	}
	if result.Port != 0 {
		result.BPFLen += result.PortLen
	}
	return result
}

func compareKeys(a, b MapKey) int {
	return cmp.Or(
		-cmp.Compare(a.Direction, b.Direction), // ingress first
		cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Proto, b.Proto),
		cmp.Compare(a.Port, b.Port),
		cmp.Compare(a.PortLen, b.PortLen))
}

// ruleNames returns "kind/namespace/name" of every rule behind an entry. Rules that Cilium makes
// up itself are "reserved//<what they do>".
func ruleNames(origins labels.LabelArrayList) []string {
	names := []string{}
	for _, origin := range origins {
		kind, namespace, name := "", "", ""
		for _, label := range origin {
			switch {
			case label.Source == labels.LabelSourceReserved && label.Key == policy.LabelKeyPolicyDerivedFrom:
				kind, name = "reserved", label.Value
			case label.Source != labels.LabelSourceK8s:
			case label.Key == k8sconst.PolicyLabelDerivedFrom:
				kind = label.Value
			case label.Key == k8sconst.PolicyLabelNamespace:
				namespace = label.Value
			case label.Key == k8sconst.PolicyLabelName:
				name = label.Value
			}
		}
		names = append(names, kind+"/"+namespace+"/"+name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// redirects stands in for the agent's proxy: every redirect gets a port of its own.
type redirects struct {
	ports map[string]uint16
	kinds map[uint16]map[policy.ListenerPriority]redirectKind
}

type redirectKind struct {
	parser, listener string
}

// newRedirects gives ports to all redirects of a policy, in order of direction, protocol, port
// and listener.
func newRedirects(selectors policy.SelectorPolicy, owner *subjectEndpoint) *redirects {
	wanted := map[string]map[policy.ListenerPriority]redirectKind{}
	snapshot := selectors.GetSelectorSnapshot()
	defer snapshot.Invalidate()
	for filter, use := range selectors.RedirectFilters() {
		listener := use.Policy.GetListener()
		for _, port := range redirectPorts(selectors, filter, owner, snapshot) {
			id := policy.ProxyID(uint16(owner.id), filter.Ingress, string(filter.Protocol), port, listener)
			if wanted[id] == nil {
				wanted[id] = map[policy.ListenerPriority]redirectKind{}
			}
			wanted[id][use.Policy.GetListenerPriority()] =
				redirectKind{string(use.Policy.GetL7Parser()), listener}
		}
	}
	ids := make([]string, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareProxyIDs)
	r := &redirects{
		ports: map[string]uint16{},
		kinds: map[uint16]map[policy.ListenerPriority]redirectKind{},
	}
	for i, id := range ids {
		port := uint16(firstProxyPort + i)
		r.ports[id] = port
		r.kinds[port] = wanted[id]
	}
	return r
}

func compareProxyIDs(a, b string) int {
	x, y := strings.SplitN(a, ":", 5), strings.SplitN(b, ":", 5)
	xPort, _ := strconv.Atoi(x[3])
	yPort, _ := strconv.Atoi(y[3])
	return cmp.Or(
		-cmp.Compare(x[1], y[1]),
		cmp.Compare(x[2], y[2]),
		cmp.Compare(xPort, yPort),
		cmp.Compare(x[4], y[4]))
}

// redirectPorts returns the numeric ports at which a filter redirects.
func redirectPorts(
	selectors policy.SelectorPolicy, filter *policy.L4Filter, owner *subjectEndpoint, snapshot policy.SelectorSnapshot,
) []uint16 {
	switch {
	case filter.Port != 0 || filter.PortName == "":
		return []uint16{filter.Port}
	case filter.Ingress:
		if port := owner.GetIngressNamedPort(filter.PortName, filter.U8Proto); port != 0 {
			return []uint16{port}
		}
		return nil
	}
	var ports []uint16
	for _, port := range selectors.GetEgressNamedPorts(filter.PortName, filter.U8Proto, filter.Identities(snapshot)) {
		ports = append(ports, port)
	}
	return ports
}

// describe tells which parser and listener an entry redirects to. Filters that share a proxy
// port differ in listener priority, which is part of the precedence.
func (r *redirects) describe(entry policy.MapStateEntry) (parser, listener string) {
	kinds := r.kinds[entry.ProxyPort]
	kind, known := kinds[policy.ListenerPriority(entry.Precedence.ListenerPriority())]
	if !known {
		for _, priority := range sortedPriorities(kinds) {
			kind = kinds[priority]
			break
		}
	}
	return kind.parser, kind.listener
}

func sortedPriorities(kinds map[policy.ListenerPriority]redirectKind) []policy.ListenerPriority {
	priorities := make([]policy.ListenerPriority, 0, len(kinds))
	for priority := range kinds {
		priorities = append(priorities, priority)
	}
	slices.Sort(priorities)
	return priorities
}

// subjectEndpoint is the little that policy resolution wants to know of an endpoint.
type subjectEndpoint struct {
	id    uint64
	host  bool
	ports types.NamedPortMap
	// Stand-ins for the proxy ports of custom listeners.
	listeners map[string]uint16
}

func (e *subjectEndpoint) GetID() uint64 { return e.id }
func (e *subjectEndpoint) IsHost() bool  { return e.host }

func (e *subjectEndpoint) GetIngressNamedPort(name string, proto u8proto.U8proto) uint16 {
	port, err := e.ports.GetNamedPort(name, proto)
	if err != nil {
		return 0
	}
	return port
}

func (e *subjectEndpoint) PolicyDebug(string, ...any) {}

func (e *subjectEndpoint) PreviousMapStateSizes() policy.MapStateSizes {
	return policy.MapStateSizes{}
}

func (e *subjectEndpoint) RegenerateIfAlive(*regeneration.ExternalRegenerationMetadata) <-chan bool {
	done := make(chan bool)
	close(done)
	return done
}
