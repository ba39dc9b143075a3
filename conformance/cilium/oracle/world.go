package oracle

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cilium/cilium/pkg/identity"
	k8sconst "github.com/cilium/cilium/pkg/k8s/apis/cilium.io"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/types"
	"github.com/cilium/cilium/pkg/u8proto"
)

// firstDerived is the first number Cilium gives to a local identity on a fresh node.
const firstDerived = identity.IdentityScopeLocal + 1

// world is everything a policy can select: identities by number, and prefixes that have one.
type world struct {
	identities map[identity.NumericIdentity]*identity.Identity
	prefixes   map[netip.Prefix]identity.NumericIdentity
	origin     map[identity.NumericIdentity]string
	answers    []IdentityAnswer

	portsOf    map[identity.NumericIdentity]types.NamedPortMap
	namedPorts types.NamedPortMultiMap
}

// newWorld builds the identities of a scenario: the reserved ones, its own, and the local ones
// of all prefixes that its policies and CIDR groups name.
func newWorld(s *Scenario, documents []*document) (*world, error) {
	w := &world{
		identities: map[identity.NumericIdentity]*identity.Identity{},
		prefixes:   map[netip.Prefix]identity.NumericIdentity{},
		origin:     map[identity.NumericIdentity]string{},
	}
	resolved, err := resolvePrefixes(s, documents)
	if err != nil {
		return nil, err
	}

	identity.IterateReservedIdentities(func(id identity.NumericIdentity, known *identity.Identity) {
		w.add(id, known.Labels, "reserved", netip.Prefix{})
	})
	namespaces := namespaceLabels(s.Namespaces)
	bySet := map[string]identity.NumericIdentity{}
	for _, given := range s.Identities {
		prefix, named, err := given.prefix()
		if err != nil {
			return nil, err
		}
		id := identity.NumericIdentity(given.ID)
		set, known := resolved[prefix]
		if !named || given.isPod() {
			set = given.ownLabels()
			for key, label := range namespaces[set[k8sconst.PodNamespaceLabel].Value] {
				if _, present := set[key]; !present {
					set[key] = label
				}
			}
			for key, label := range given.podCIDRLabels(resolved) {
				set[key] = label
			}
		} else if !known {
			return nil, fmt.Errorf("identity %d: %s was not resolved", id, prefix)
		}
		w.add(id, set, "scenario", prefix)
		if named {
			w.prefixes[prefix] = id
			if text := string(set.SortedList()); bySet[text] == 0 {
				bySet[text] = id
			}
		}
	}

	// Derived identities: all remaining prefixes in order of family (IPv4 first), address and
	// length. One number per label set; a set that is already known keeps its number.
	rest := make([]netip.Prefix, 0, len(resolved))
	for prefix := range resolved {
		if _, taken := w.prefixes[prefix]; !taken {
			rest = append(rest, prefix)
		}
	}
	slices.SortFunc(rest, comparePrefixes)
	next := map[identity.NumericIdentity]identity.NumericIdentity{
		identity.IdentityScopeLocal:      firstDerived,
		identity.IdentityScopeRemoteNode: identity.IdentityScopeRemoteNode + 1,
	}
	for _, prefix := range rest {
		set := resolved[prefix]
		text := string(set.SortedList())
		id, known := bySet[text]
		if reserved := identity.LookupReservedIdentityByLabels(set); reserved != nil {
			id, known = reserved.ID, true
		}
		if !known {
			scope := identity.ScopeForLabels(set)
			if scope != identity.IdentityScopeRemoteNode {
				scope = identity.IdentityScopeLocal
			}
			for id = next[scope]; w.identities[id] != nil; id++ {
			}
			next[scope] = id + 1
			bySet[text] = id
		}
		w.add(id, set, "derived", prefix)
		w.prefixes[prefix] = id
	}

	w.addNamedPorts(s)
	w.sortAnswers()
	return w, nil
}

// add puts an identity in force. An identity given by the scenario replaces a reserved one; a
// derived one never changes labels of another.
func (w *world) add(id identity.NumericIdentity, set labels.Labels, origin string, prefix netip.Prefix) {
	if origin != "derived" || w.identities[id] == nil {
		w.identities[id] = identity.NewIdentity(id, set)
	}
	if origin == "scenario" && w.origin[id] == "reserved" {
		w.answers = slices.DeleteFunc(w.answers, func(a IdentityAnswer) bool { return a.ID == uint32(id) })
	}
	w.origin[id] = origin
	answer := IdentityAnswer{ID: uint32(id), Source: origin, Labels: []string{}}
	for _, label := range w.identities[id].LabelArray {
		answer.Labels = append(answer.Labels, label.String())
	}
	slices.Sort(answer.Labels)
	if prefix.IsValid() {
		answer.Prefix = prefix.String()
		answer.prefix = prefix
	}
	w.answers = append(w.answers, answer)
}

func (w *world) sortAnswers() {
	slices.SortStableFunc(w.answers, func(a, b IdentityAnswer) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), comparePrefixes(a.prefix, b.prefix))
	})
}

// comparePrefixes orders by family, address and length.
func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(
		cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()),
		a.Addr().Compare(b.Addr()),
		cmp.Compare(a.Bits(), b.Bits()))
}

// labelMap returns all identities the way selector caches take them.
func (w *world) labelMap() identity.IdentityMap {
	all := make(identity.IdentityMap, len(w.identities))
	for id, known := range w.identities {
		all[id] = known.LabelArray
	}
	return all
}

// lookup finds the identity of an address: longest prefix, else world.
func (w *world) lookup(address netip.Addr) identity.NumericIdentity {
	address = address.Unmap()
	for bits := address.BitLen(); bits >= 0; bits-- {
		prefix, err := address.Prefix(bits)
		if err != nil {
			break
		}
		if id, known := w.prefixes[prefix]; known {
			return id
		}
	}
	switch {
	case !option.Config.IsDualStack():
		return identity.ReservedIdentityWorld
	case address.Is4():
		return identity.ReservedIdentityWorldIPv4
	default:
		return identity.ReservedIdentityWorldIPv6
	}
}

// prefix returns the prefix of an identity that is given by one; ok tells whether it is.
func (id ScenarioIdentity) prefix() (prefix netip.Prefix, ok bool, err error) {
	switch {
	case id.CIDR != "":
		prefix, err = netip.ParsePrefix(id.CIDR)
	case id.IP != "":
		var address netip.Addr
		if address, err = netip.ParseAddr(id.IP); err == nil {
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
	default:
		return netip.Prefix{}, false, nil
	}
	if err != nil {
		return netip.Prefix{}, false, err
	}
	return prefix.Masked(), true, nil
}

// ownLabels returns the labels given in the scenario.
func (id ScenarioIdentity) ownLabels() labels.Labels {
	set := labels.Labels{}
	keys := make([]string, 0, len(id.Labels))
	for key := range id.Labels {
		keys = append(keys, key)
	}
	slices.Sort(keys) // equal keys of two sources: the last one stays
	for _, text := range keys {
		from, key, found := strings.Cut(text, ":")
		if !found {
			from, key = labels.LabelSourceUnspec, text
		}
		label := labels.NewLabel(key, id.Labels[text], from)
		set[label.Key] = label
	}
	return set
}

// isPod tells that an address belongs to a workload: a label has a source that cluster-wide
// identities have. Such addresses inherit nothing from covering prefixes.
func (id ScenarioIdentity) isPod() bool {
	if id.IP == "" {
		return false
	}
	for _, label := range id.ownLabels() {
		switch label.Source {
		case labels.LabelSourceCIDR, labels.LabelSourceCIDRGroup, labels.LabelSourceFQDN,
			labels.LabelSourceReserved, labels.LabelSourceNode:
		default:
			return true
		}
	}
	return false
}

// podCIDRLabels returns what the CIDR match mode "pods" adds to a workload.
func (id ScenarioIdentity) podCIDRLabels(resolved map[netip.Prefix]labels.Labels) labels.Labels {
	extra := labels.Labels{}
	if !id.isPod() || !option.Config.PolicyCIDRMatchesPods() {
		return extra
	}
	prefix, _, _ := id.prefix()
	cidr := false
	for key, label := range resolved[prefix] {
		switch label.Source {
		case labels.LabelSourceCIDR:
			cidr = true
			extra[key] = label
		case labels.LabelSourceCIDRGroup:
			extra[key] = label
		}
	}
	if !cidr {
		text := "cidr:0.0.0.0/0"
		if prefix.Addr().Is6() {
			text = "cidr:::/0"
		}
		label := labels.ParseLabel(text)
		extra[label.Key] = label
	}
	return extra
}

// namespaceLabels returns, per namespace, the labels that pods of it carry.
func namespaceLabels(namespaces []Namespace) map[string]labels.Labels {
	all := map[string]labels.Labels{}
	for _, namespace := range namespaces {
		set := labels.Labels{}
		for key, value := range namespace.Labels {
			label := labels.NewLabel(
				k8sconst.PodNamespaceMetaLabels+"."+key, value, labels.LabelSourceK8s)
			set[label.Key] = label
		}
		all[namespace.Name] = set
	}
	return all
}

// addNamedPorts builds the cluster-wide table of named ports.
func (w *world) addNamedPorts(s *Scenario) {
	w.portsOf = map[identity.NumericIdentity]types.NamedPortMap{}
	table := types.NewNamedPortMultiMap()
	for _, given := range s.Identities {
		if given.NamedPorts == nil {
			continue
		}
		id := identity.NumericIdentity(given.ID)
		ports := namedPortMap(given.NamedPorts)
		table.Update(id, w.portsOf[id], ports)
		w.portsOf[id] = ports
	}
	w.namedPorts = table
}

// GetNamedPorts implements the interface through which the repository asks for named ports.
func (w *world) GetNamedPorts() types.NamedPortMultiMap { return w.namedPorts }

// namedPortMap leaves out what the agent would refuse, as the agent does.
func namedPortMap(ports map[string]NamedPort) types.NamedPortMap {
	result := types.NamedPortMap{}
	for name, port := range ports {
		proto := u8proto.U8proto(port.Proto)
		if proto == u8proto.ANY {
			proto = u8proto.TCP
		}
		_ = result.AddPort(name, int(port.Port), proto.String())
	}
	return result
}
