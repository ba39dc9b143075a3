package layer7

import (
	"context"
	"fmt"
	"strings"

	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/cilium/cilium/pkg/proxy/accesslog"
	"github.com/cilium/cilium/pkg/u8proto"
)

// nobody is an endpoint of which nothing is asked.
type nobody struct{}

func (nobody) GetPolicyNames() []string                           { return nil }
func (nobody) GetID() uint64                                      { return 0 }
func (nobody) GetIPv4Address() string                             { return "" }
func (nobody) GetIPv6Address() string                             { return "" }
func (nobody) GetIngressNamedPort(string, u8proto.U8proto) uint16 { return 0 }
func (nobody) GetListenerProxyPort(string) uint16                 { return 0 }
func (nobody) OnProxyPolicyUpdate(uint64)                         {}
func (nobody) UpdateProxyStatistics(string, string, uint16, uint16, bool, bool, accesslog.FlowVerdict) {
}

// everybody is the selector of all peers.
type everybody struct{}

func (everybody) GetSelections() identity.NumericIdentitySlice                          { return nil }
func (everybody) GetSelectionsAt(policy.SelectorSnapshot) identity.NumericIdentitySlice { return nil }
func (everybody) GetMetadataLabels() labels.LabelArrayList                              { return nil }
func (everybody) Selects(identity.NumericIdentity) bool                                 { return true }
func (everybody) IsWildcard() bool                                                      { return true }
func (everybody) IsNone() bool                                                          { return false }
func (everybody) String() string                                                        { return "everybody" }

// secrets are Kubernetes secrets by "namespace/name", item by item. When inline, the agent reads
// them itself; else it leaves them to Envoy's secret discovery.
type secrets struct {
	inline bool
	items  map[string]map[string]string
}

func newSecrets(mode string, given map[string]string) (secrets, error) {
	s := secrets{inline: mode == "inline", items: map[string]map[string]string{}}
	switch mode {
	case "", "inline", "sds":
	default:
		return s, fmt.Errorf("secretMode %q", mode)
	}
	for path, value := range given {
		parts := strings.SplitN(path, "/", 3)
		if len(parts) != 3 {
			return s, fmt.Errorf("secret %q is not namespace/name/key", path)
		}
		name := parts[0] + "/" + parts[1]
		if s.items[name] == nil {
			s.items[name] = map[string]string{}
		}
		s.items[name][parts[2]] = value
	}
	return s, nil
}

// GetSecretString implements certificatemanager.SecretManager as pkg/crypto/certificatemanager
// does: with discovery no value is read.
func (s secrets) GetSecretString(_ context.Context, secret *api.Secret, _ string) (string, error) {
	if !s.inline {
		return "", nil
	}
	items, found := s.items[secret.Namespace+"/"+secret.Name]
	if !found {
		return "", fmt.Errorf("no secret %s/%s", secret.Namespace, secret.Name)
	}
	if len(items) != 1 {
		return "", fmt.Errorf("secret %s must have exactly one item", secret.Name)
	}
	for _, value := range items {
		return value, nil
	}
	return "", nil
}

func (s secrets) PolicySecretSyncEnabled() bool         { return !s.inline }
func (s secrets) SecretsOnlyFromSecretsNamespace() bool { return !s.inline }
func (s secrets) GetSecretSyncNamespace() string        { return "" }

// delivered is what Envoy gets of a secret, after k8sToEnvoySecret of pkg/envoy/secretsync.go.
func (s secrets) delivered(name string) (string, bool) {
	items := s.items[name]
	if items["tls.crt"] != "" || items["tls.key"] != "" || items["ca.crt"] != "" ||
		items["tls.sessionticket.key"] != "" {
		return "", false
	}
	if generic := items["generic"]; generic != "" {
		return generic, true
	}
	if len(items) == 1 {
		for _, value := range items {
			return value, true
		}
	}
	return "", false
}
