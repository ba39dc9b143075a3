package oracle

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"time"

	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/cache"
	"github.com/cilium/cilium/pkg/ipcache"
	ipcachetypes "github.com/cilium/cilium/pkg/ipcache/types"
	k8sutils "github.com/cilium/cilium/pkg/k8s/utils"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/cilium/cilium/pkg/source"
)

// resolvePrefixes lets Cilium's ipcache work out the final labels of every prefix that policies,
// CIDR groups and the scenario's own identities contribute.
func resolvePrefixes(s *Scenario, documents []*document) (map[netip.Prefix]labels.Labels, error) {
	updates, workloads := prefixUpdates(s, documents)
	if len(updates) == 0 && len(workloads) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	allocator := &labelAllocator{
		byText: map[string]*identity.Identity{},
		byID:   map[identity.NumericIdentity]*identity.Identity{},
	}
	ipc := ipcache.NewIPCache(&ipcache.Configuration{
		Context:           ctx,
		Logger:            quiet,
		IdentityAllocator: allocator,
		IdentityUpdater:   noUpdates{},
	})
	defer ipc.Shutdown()

	resolved := map[netip.Prefix]labels.Labels{}
	if len(updates) > 0 {
		revision := ipc.UpsertMetadataBatch(updates...)
		if err := ipc.WaitForRevision(ctx, revision); err != nil {
			return nil, err
		}
	}
	for _, update := range updates {
		prefix := canonical(update.Prefix.AsPrefix())
		found, known := ipc.LookupByPrefix(prefix.String())
		if !known {
			return nil, errors.New("the ipcache has no entry for " + prefix.String())
		}
		if found.ID == identity.ReservedIdentityHost {
			// Not allocated: the ipcache changes the labels of the one host identity.
			resolved[prefix] = identity.LookupReservedIdentity(found.ID).Labels
		} else {
			resolved[prefix] = allocator.byID[found.ID].Labels
		}
	}
	// Workloads are no prefixes, but in one mode take labels from the prefixes around them.
	for _, prefix := range workloads {
		resolved[prefix] = ipc.GetMetadataLabels(prefix.Addr())
	}
	return resolved, nil
}

// prefixUpdates lists the contributions to the ipcache, in the order of the scenario, and the
// addresses of workloads.
func prefixUpdates(s *Scenario, documents []*document) (updates []ipcache.MU, workloads []netip.Prefix) {
	for _, d := range inForce(documents) {
		if d.group != nil {
			updates = append(updates, d.group.updates()...)
			continue
		}
		for _, prefix := range d.prefixes {
			updates = append(updates, policyPrefix(prefix, d.source, d.resource))
		}
	}
	for _, group := range s.CIDRGroups {
		updates = append(updates, group.updates()...)
	}
	for _, given := range s.Identities {
		prefix, named, err := given.prefix()
		if !named || err != nil {
			continue
		}
		resource := ipcachetypes.NewResourceID(
			ipcachetypes.ResourceKindDaemon, "scenario", prefix.String())
		switch {
		case given.isPod():
			workloads = append(workloads, prefix)
			continue
		case given.CIDR != "":
			updates = append(updates, policyPrefix(prefix, source.CustomResource, resource))
		}
		if given.IP != "" || len(given.Labels) > 0 {
			updates = append(updates, ipcache.MU{
				Prefix:   cmtypes.NewLocalPrefixCluster(prefix),
				Source:   source.Generated,
				Resource: resource,
				Metadata: []ipcache.IPMetadata{given.ownLabels()},
			})
		}
	}
	return updates, workloads
}

// policyPrefix is the contribution of a prefix that a policy names.
func policyPrefix(prefix netip.Prefix, from source.Source, resource ipcachetypes.ResourceID) ipcache.MU {
	return ipcache.MU{
		Prefix:   cmtypes.NewLocalPrefixCluster(prefix),
		Source:   from,
		Resource: resource,
		Metadata: []ipcache.IPMetadata{labels.GetCIDRLabels(prefix)},
		IsCIDR:   true,
	}
}

// updates are the contributions of a CIDR group: each label also in the form that has the value
// in the key, the label of the group's name, and the label of the world.
func (g *CIDRGroup) updates() []ipcache.MU {
	set := labels.Labels{}
	for key, value := range k8sutils.RemoveCiliumLabels(g.Labels) {
		label := labels.NewLabel(key, value, labels.LabelSourceCIDRGroup)
		set[label.Key] = label
		encoded := labels.EncodedCIDRGroupLabel(label.Key, label.Value, label.Source)
		set[encoded.Key] = encoded
	}
	name := api.LabelForCIDRGroupRef(g.Name)
	set[name.Key] = name

	var updates []ipcache.MU
	for _, prefix := range g.prefixes() {
		own := maps.Clone(set)
		own.AddWorldLabel(prefix.Addr())
		updates = append(updates, ipcache.MU{
			Prefix:   cmtypes.NewLocalPrefixCluster(prefix),
			Source:   source.Generated,
			Resource: ipcachetypes.NewResourceID(ipcachetypes.ResourceKindCIDRGroup, "", g.Name),
			Metadata: []ipcache.IPMetadata{own},
		})
	}
	return updates
}

// prefixes are those of the group's CIDRs that are valid; the agent ignores others.
func (g *CIDRGroup) prefixes() []netip.Prefix {
	var prefixes []netip.Prefix
	for _, text := range g.CIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// canonical is the form of a prefix that the ipcache keeps.
func canonical(prefix netip.Prefix) netip.Prefix {
	if p, err := prefix.Addr().Unmap().Prefix(prefix.Bits()); err == nil {
		return p
	}
	return prefix
}

// labelAllocator hands out a number per label set. The numbers are only for finding the labels
// again: final ones are given later, in an order that does not depend on chance.
type labelAllocator struct {
	cache.IdentityAllocator
	byText map[string]*identity.Identity
	byID   map[identity.NumericIdentity]*identity.Identity
}

// AllocateLocalIdentity implements the one way in which the ipcache asks for identities.
func (a *labelAllocator) AllocateLocalIdentity(
	set labels.Labels, _ bool, _ identity.NumericIdentity,
) (*identity.Identity, bool, error) {
	if reserved := identity.LookupReservedIdentityByLabels(set); reserved != nil {
		a.byID[reserved.ID] = identity.NewIdentity(reserved.ID, reserved.Labels)
		return reserved, false, nil
	}
	text := string(set.SortedList())
	if known := a.byText[text]; known != nil {
		return known, false, nil
	}
	id := firstDerived + identity.NumericIdentity(len(a.byText))
	added := identity.NewIdentity(id, maps.Clone(set))
	a.byText[text] = added
	a.byID[id] = added
	return added, true, nil
}

// ReleaseLocalIdentities keeps everything: a scenario is short.
func (a *labelAllocator) ReleaseLocalIdentities(...identity.NumericIdentity) ([]identity.NumericIdentity, error) {
	return nil, nil
}

// noUpdates ignores new identities; selector caches are filled at once later.
type noUpdates struct{}

func (noUpdates) UpdateIdentities(_, _ identity.IdentityMap) <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}
