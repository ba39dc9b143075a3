package oracle

import (
	"net/netip"

	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/u8proto"
)

// The layout of prefix lengths in policy map keys, see bpf/lib/policy.h.
const (
	staticPrefixBits = 40 // identity and direction
	protoBits        = 8
	maxPrecedence    = 0xffffffff
)

// query judges one flow by the algorithm of the datapath.
func (w *world) query(q Query, endpoints []EndpointAnswer) QueryAnswer {
	answer := QueryAnswer{Verdict: "error"}
	if q.Peer != nil {
		answer.Peer = *q.Peer
	} else {
		address, err := netip.ParseAddr(q.PeerIP)
		if err != nil {
			answer.Reason = err.Error()
			return answer
		}
		answer.Peer = uint32(w.lookup(address))
	}
	var endpoint *EndpointAnswer
	for i := range endpoints {
		if endpoints[i].ID == q.Endpoint {
			endpoint = &endpoints[i]
			break
		}
	}
	switch {
	case endpoint == nil:
		answer.Reason = "no such endpoint"
		return answer
	case endpoint.Error != "":
		answer.Reason = "endpoint has no policy"
		return answer
	}

	port := q.Port
	proto := u8proto.U8proto(q.Proto)
	if (proto == u8proto.ICMP || proto == u8proto.ICMPv6) && !option.Config.EnableICMPRules {
		port = 0
	}
	f := flow{endpoint.Map, q.Direction, uint8(proto), port}
	chosen, other, specific := f.decide(answer.Peer)
	if chosen == nil {
		answer.Verdict, answer.Reason, answer.Match = "denied", "no-match", "none"
		return answer
	}
	answer.Match = matchType(chosen, specific)
	key := chosen.MapKey
	answer.Key = &key
	if chosen.Deny {
		answer.Verdict, answer.Reason = "denied", "deny"
		return answer
	}
	answer.Auth = chosen.Auth
	if other != nil && other.Precedence == chosen.Precedence && !chosen.AuthExplicit && other.Auth > answer.Auth {
		answer.Auth = other.Auth
	}
	answer.Parser, answer.Listener, answer.Proxy = chosen.Parser, chosen.Listener, chosen.Proxy
	switch {
	case answer.Auth != 0:
		answer.Verdict = "auth"
	case chosen.Proxy != 0:
		answer.Verdict = "redirect"
	default:
		answer.Verdict = "allowed"
	}
	return answer
}

// flow is the part of a packet that a policy map is asked about.
type flow struct {
	entries   []MapEntry
	direction string
	proto     uint8
	port      uint16
}

// decide looks up the peer and what it aggregates to. The other entry counts for authentication
// only; specific tells that the chosen one is that of the peer itself.
func (f flow) decide(peer uint32) (chosen, other *MapEntry, specific bool) {
	own := f.longest(peer)
	if own != nil && own.Precedence == maxPrecedence {
		return own, nil, true
	}
	var wide *MapEntry
	aggregate := aggregateOf(peer)
	if aggregate != peer {
		wide = f.longest(aggregate)
	}
	if own == nil && wide == nil && aggregate != 0 {
		wide = f.longest(0)
	}
	if wide != nil && (own == nil || wide.Precedence > own.Precedence ||
		wide.Precedence == own.Precedence && wide.BPFLen > own.BPFLen) {
		return wide, own, false
	}
	return own, wide, true
}

// longest is the longest-prefix match for one identity. Entries marked invalid do not count.
func (f flow) longest(id uint32) *MapEntry {
	var best *MapEntry
	for i := range f.entries {
		e := &f.entries[i]
		if e.Direction != f.direction || e.ID != id || e.Invalid {
			continue
		}
		bits := e.BPFLen - staticPrefixBits
		if bits > 0 && e.Proto != f.proto {
			continue
		}
		if bits > protoBits && (e.Port^f.port)>>(16-(bits-protoBits)) != 0 {
			continue
		}
		if best == nil || e.BPFLen > best.BPFLen {
			best = e
		}
	}
	return best
}

// aggregateOf mirrors the datapath's aggregation of identities.
func aggregateOf(peer uint32) uint32 {
	id := identity.NumericIdentity(peer)
	switch id {
	case identity.ReservedIdentityAggregateCluster, identity.ReservedIdentityAggregateClusterMesh,
		identity.ReservedIdentityAggregateWorld, identity.ReservedIdentityAggregateRemoteNode:
		return peer
	}
	switch {
	case id < 100:
		return 0
	case id.Scope() == identity.IdentityScopeRemoteNode:
		return uint32(identity.ReservedIdentityAggregateRemoteNode)
	case id.Scope() == identity.IdentityScopeLocal:
		return uint32(identity.ReservedIdentityAggregateWorld)
	case id.ClusterID() == option.Config.ClusterID:
		return uint32(identity.ReservedIdentityAggregateCluster)
	default:
		return uint32(identity.ReservedIdentityAggregateClusterMesh)
	}
}

// matchType names what the datapath reports with a verdict.
func matchType(entry *MapEntry, specific bool) string {
	bits := entry.BPFLen - staticPrefixBits
	switch {
	case specific && bits > protoBits:
		return "L3-L4"
	case specific && bits > 0:
		return "L3-Proto"
	case specific:
		return "L3-Only"
	case bits > protoBits:
		return "L4-Only"
	case bits > 0:
		return "Proto-Only"
	default:
		return "All"
	}
}
