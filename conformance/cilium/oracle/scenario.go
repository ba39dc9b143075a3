// Package oracle answers policy scenarios with Cilium's own Go policy engine.
//
// A scenario names policies, identities, endpoints and queries; an answer holds what Cilium
// makes of them. The format is shared with the engine that is compared with Cilium.
package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/cilium/cilium/pkg/u8proto"
)

// Scenario is one question to the policy engine.
type Scenario struct {
	Name       string               `json:"name,omitempty"`
	Note       string               `json:"note,omitempty"`
	Config     Config               `json:"config"`
	Policies   []string             `json:"policies,omitempty"`
	Identities []ScenarioIdentity   `json:"identities,omitempty"`
	Namespaces []Namespace          `json:"namespaces,omitempty"`
	CIDRGroups []CIDRGroup          `json:"cidrGroups,omitempty"`
	NamedPorts map[string]NamedPort `json:"namedPorts,omitempty"`
	Endpoints  []ScenarioEndpoint   `json:"endpoints,omitempty"`
	Queries    []Query              `json:"queries,omitempty"`
}

// Config holds the agent options a scenario may change. Zero values are Cilium's defaults on
// Kubernetes.
type Config struct {
	Enforcement           string   `json:"enforcement,omitempty"`
	AllowLocalhost        string   `json:"allowLocalhost,omitempty"`
	ClusterName           string   `json:"clusterName,omitempty"`
	ClusterID             uint32   `json:"clusterID,omitempty"`
	AnyCluster            bool     `json:"anyCluster,omitempty"`
	DisableIPv4           bool     `json:"disableIPv4,omitempty"`
	DisableIPv6           bool     `json:"disableIPv6,omitempty"`
	DisableL7Proxy        bool     `json:"disableL7Proxy,omitempty"`
	DisableNonDefaultDeny bool     `json:"disableNonDefaultDeny,omitempty"`
	DisableICMPRules      bool     `json:"disableICMPRules,omitempty"`
	ExtendedIPProtocols   bool     `json:"extendedIPProtocols,omitempty"`
	NodeSelectorLabels    bool     `json:"nodeSelectorLabels,omitempty"`
	HostFirewall          bool     `json:"hostFirewall,omitempty"`
	PolicyCIDRMatchMode   []string `json:"policyCIDRMatchMode,omitempty"`
	EnforceSchema         bool     `json:"enforceSchema,omitempty"`
}

// ScenarioIdentity is an identity with a fixed number: with labels of its own, or that of a
// prefix (CIDR), or that of an address (IP), which also takes over what its prefix inherits.
type ScenarioIdentity struct {
	ID         uint32               `json:"id"`
	Labels     map[string]string    `json:"labels,omitempty"`
	CIDR       string               `json:"cidr,omitempty"`
	IP         string               `json:"ip,omitempty"`
	NamedPorts map[string]NamedPort `json:"namedPorts,omitempty"`
}

// Namespace gives the labels of a namespace, which its identities carry.
type Namespace struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// CIDRGroup stands for a CiliumCIDRGroup object.
type CIDRGroup struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	CIDRs  []string          `json:"cidrs,omitempty"`
}

// ScenarioEndpoint is a subject whose policy is to be resolved.
type ScenarioEndpoint struct {
	ID         uint32               `json:"id"`
	NamedPorts map[string]NamedPort `json:"namedPorts,omitempty"`
}

// NamedPort is the value of a named container port.
type NamedPort struct {
	Port  uint16 `json:"port"`
	Proto Proto  `json:"proto,omitempty"`
}

// Query asks for the verdict on one flow.
type Query struct {
	Direction string  `json:"direction"`
	Endpoint  uint32  `json:"endpoint"`
	Peer      *uint32 `json:"peer,omitempty"`
	PeerIP    string  `json:"peerIP,omitempty"`
	Proto     Proto   `json:"proto"`
	Port      uint16  `json:"port,omitempty"`
}

// Proto is an IP protocol, written as its name or its number.
type Proto uint8

// UnmarshalJSON accepts "TCP", "6" and 6.
func (p *Proto) UnmarshalJSON(text []byte) error {
	var name string
	if err := json.Unmarshal(text, &name); err != nil {
		var number uint8
		if err := json.Unmarshal(text, &number); err != nil {
			return fmt.Errorf("protocol %s is neither a name nor a number below 256", text)
		}
		*p = Proto(number)
		return nil
	}
	if number, err := strconv.ParseUint(name, 10, 8); err == nil {
		*p = Proto(number)
		return nil
	}
	if name == "" {
		*p = Proto(u8proto.TCP)
		return nil
	}
	number, err := u8proto.ParseProtocol(name)
	if err != nil {
		return err
	}
	*p = Proto(number)
	return nil
}

// ParseScenario reads exactly one scenario; unknown fields are an error.
func ParseScenario(text []byte) (*Scenario, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	scenario := &Scenario{}
	if err := decoder.Decode(scenario); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value in a scenario")
	}
	return scenario, scenario.check()
}

// check finds what makes a scenario meaningless rather than merely refused by Cilium.
func (s *Scenario) check() error {
	if err := s.Config.check(); err != nil {
		return err
	}
	for i, id := range s.Identities {
		if id.ID == 0 {
			return fmt.Errorf("identities[%d]: id is missing", i)
		}
		if id.CIDR != "" && id.IP != "" {
			return fmt.Errorf("identities[%d]: cidr and ip together", i)
		}
		if _, _, err := id.prefix(); err != nil {
			return fmt.Errorf("identities[%d]: %w", i, err)
		}
	}
	for i, query := range s.Queries {
		if query.Direction != "ingress" && query.Direction != "egress" {
			return fmt.Errorf("queries[%d]: direction %q", i, query.Direction)
		}
		if (query.Peer == nil) == (query.PeerIP == "") {
			return fmt.Errorf("queries[%d]: one of peer and peerIP is needed", i)
		}
	}
	return nil
}
