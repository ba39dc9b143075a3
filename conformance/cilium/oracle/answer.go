package oracle

import (
	"encoding/json"
	"net/netip"
)

// Answer is what Cilium makes of a scenario.
type Answer struct {
	Name       string           `json:"name,omitempty"`
	Note       string           `json:"note,omitempty"`
	Policies   []PolicyAnswer   `json:"policies"`
	Identities []IdentityAnswer `json:"identities"`
	Endpoints  []EndpointAnswer `json:"endpoints"`
	Queries    []QueryAnswer    `json:"queries"`
	Unstable   []string         `json:"unstable,omitempty"`
}

// PolicyAnswer tells what became of one document.
type PolicyAnswer struct {
	Index     int      `json:"index"`
	Kind      string   `json:"kind,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name,omitempty"`
	Accepted  bool     `json:"accepted"`
	Stage     string   `json:"stage,omitempty"`
	Error     string   `json:"error,omitempty"`
	Schema    string   `json:"schema,omitempty"`
	Entries   int      `json:"entries"`
	Prefixes  []string `json:"prefixes,omitempty"`
}

// IdentityAnswer is one identity in force; one per prefix for those that prefixes share.
type IdentityAnswer struct {
	ID     uint32   `json:"id"`
	Labels []string `json:"labels"`
	Prefix string   `json:"prefix,omitempty"`
	Source string   `json:"source"`

	prefix netip.Prefix
}

// EndpointAnswer is the resolved policy of one subject.
type EndpointAnswer struct {
	ID             uint32     `json:"id"`
	IngressEnabled bool       `json:"ingressEnabled"`
	EgressEnabled  bool       `json:"egressEnabled"`
	Error          string     `json:"error,omitempty"`
	Map            []MapEntry `json:"map"`
	L4             []L4Answer `json:"l4,omitempty"`
	// The policy as Envoy is sent it: cilium.NetworkPolicy.
	Proxy json.RawMessage `json:"proxy,omitempty"`
}

// MapKey is the key of a policy map entry.
type MapKey struct {
	Direction string `json:"dir"`
	ID        uint32 `json:"id"`
	Proto     uint8  `json:"proto"`
	Port      uint16 `json:"port"`
	PortLen   uint8  `json:"plen"`
	BPFLen    uint8  `json:"bpf_plen"`
}

// MapEntry is one entry of an endpoint's policy map.
type MapEntry struct {
	MapKey
	Deny         bool     `json:"deny"`
	Precedence   uint32   `json:"prec"`
	Priority     uint32   `json:"prio"`
	ListenerPrio uint8    `json:"lprio"`
	Proxy        uint16   `json:"proxy,omitempty"`
	Parser       string   `json:"parser,omitempty"`
	Listener     string   `json:"listener,omitempty"`
	Auth         uint8    `json:"auth,omitempty"`
	AuthExplicit bool     `json:"authExplicit,omitempty"`
	Cookie       uint32   `json:"cookie,omitempty"`
	Invalid      bool     `json:"invalid,omitempty"`
	Rules        []string `json:"rules"`
}

// L4Answer is one selector of one L4 filter.
type L4Answer struct {
	Direction    string   `json:"dir"`
	Tier         uint8    `json:"tier"`
	Proto        string   `json:"proto"`
	Port         uint16   `json:"port"`
	EndPort      uint16   `json:"endPort,omitempty"`
	PortName     string   `json:"portName,omitempty"`
	Selector     string   `json:"selector"`
	Wildcard     bool     `json:"wildcard,omitempty"`
	Verdict      string   `json:"verdict"`
	Priority     uint32   `json:"prio"`
	Parser       string   `json:"parser,omitempty"`
	Listener     string   `json:"listener,omitempty"`
	ListenerPrio uint8    `json:"lprio,omitempty"`
	ServerNames  []string `json:"serverNames,omitempty"`
	Terminating  bool     `json:"terminatingTLS,omitempty"`
	Originating  bool     `json:"originatingTLS,omitempty"`
	Auth         string   `json:"auth,omitempty"`
	HTTP         any      `json:"http,omitempty"`
	DNS          any      `json:"dns,omitempty"`
	Rules        []string `json:"rules"`
}

// QueryAnswer is the verdict on one flow.
type QueryAnswer struct {
	Verdict  string  `json:"verdict"`
	Reason   string  `json:"reason,omitempty"`
	Peer     uint32  `json:"peer"`
	Match    string  `json:"match,omitempty"`
	Key      *MapKey `json:"key,omitempty"`
	Parser   string  `json:"parser,omitempty"`
	Listener string  `json:"listener,omitempty"`
	Proxy    uint16  `json:"proxy,omitempty"`
	Auth     uint8   `json:"auth,omitempty"`
}

// Options change what is answered and how.
type Options struct {
	// L4 adds the L4 filters to every endpoint.
	L4 bool
	// Proxy adds the policy for Envoy to every endpoint.
	Proxy bool
	// Repeat is how often a scenario is answered from fresh state to find what differs.
	Repeat int
}

// Run answers a scenario.
func Run(s *Scenario, options Options) (*Answer, error) {
	if _, err := clusterNetworkPolicyCRD(); err != nil {
		return nil, err
	}
	first, err := runOnce(s, options)
	if err != nil {
		return nil, err
	}
	differing := newDifferences(first)
	for i := 1; i < options.Repeat; i++ {
		again, err := runOnce(s, options)
		if err != nil {
			return nil, err
		}
		differing.compare(again)
	}
	first.Unstable = differing.paths()
	return first, nil
}

// runOnce answers a scenario with nothing left over from earlier runs.
func runOnce(s *Scenario, options Options) (*Answer, error) {
	s.Config.apply()
	answer := &Answer{
		Name:      s.Name,
		Note:      s.Note,
		Policies:  []PolicyAnswer{},
		Endpoints: []EndpointAnswer{},
		Queries:   []QueryAnswer{},
	}
	documents := readDocuments(s)
	for _, d := range documents {
		answer.Policies = append(answer.Policies, d.PolicyAnswer)
	}
	w, err := newWorld(s, documents)
	if err != nil {
		return nil, err
	}
	answer.Identities = w.answers

	r := &resolver{scenario: s, documents: documents, world: w}
	for i := range s.Endpoints {
		answer.Endpoints = append(answer.Endpoints, r.endpoint(i, options))
	}
	for _, query := range s.Queries {
		answer.Queries = append(answer.Queries, w.query(query, answer.Endpoints))
	}
	return answer, nil
}
