package oracle

import (
	"fmt"

	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
)

func (c Config) check() error {
	switch c.Enforcement {
	case "", option.DefaultEnforcement, option.AlwaysEnforce, option.NeverEnforce:
	default:
		return fmt.Errorf("config.enforcement: %q", c.Enforcement)
	}
	switch c.AllowLocalhost {
	case "", option.AllowLocalhostAuto, option.AllowLocalhostAlways, option.AllowLocalhostPolicy:
	default:
		return fmt.Errorf("config.allowLocalhost: %q", c.AllowLocalhost)
	}
	for _, mode := range c.PolicyCIDRMatchMode {
		if mode != "nodes" && mode != "pods" {
			return fmt.Errorf("config.policyCIDRMatchMode: %q", mode)
		}
	}
	if c.DisableIPv4 && c.DisableIPv6 {
		return fmt.Errorf("config: both IP families are disabled")
	}
	return nil
}

// clusterName is the name of the local cluster.
func (c Config) clusterName() string {
	if c.ClusterName == "" {
		return "default"
	}
	return c.ClusterName
}

// policyCluster is the cluster that peer selectors are restricted to, or "" for any.
func (c Config) policyCluster() string {
	return cmtypes.LocalClusterNameForPolicies(
		cmtypes.PolicyConfig{PolicyDefaultLocalCluster: !c.AnyCluster}, c.clusterName())
}

// apply sets Cilium's process-wide options, so scenarios cannot be answered in parallel.
func (c Config) apply() {
	o := option.Config
	o.EnableIPv4 = !c.DisableIPv4
	o.EnableIPv6 = !c.DisableIPv6
	o.EnableL7Proxy = !c.DisableL7Proxy
	o.EnableNonDefaultDenyPolicies = !c.DisableNonDefaultDeny
	o.EnableICMPRules = !c.DisableICMPRules
	o.EnableExtendedIPProtocols = c.ExtendedIPProtocols
	o.EnableNodeSelectorLabels = c.NodeSelectorLabels
	o.EnableHostFirewall = c.HostFirewall
	o.EnableK8sClusterNetworkPolicy = true
	o.PolicyCIDRMatchMode = c.PolicyCIDRMatchMode
	o.ClusterName = c.clusterName()
	o.ClusterID = c.ClusterID

	// The agent turns "auto" into "always" when it runs under Kubernetes.
	o.UnsafeDaemonConfigOption.AllowLocalhost = option.AllowLocalhostAlways
	if c.AllowLocalhost == option.AllowLocalhostPolicy {
		o.UnsafeDaemonConfigOption.AllowLocalhost = option.AllowLocalhostPolicy
	}

	enforcement := c.Enforcement
	if enforcement == "" {
		enforcement = option.DefaultEnforcement
	}
	policy.SetPolicyEnabled(enforcement)
	api.InitEntities(c.clusterName())

	// The labels of the host are process-wide state, too.
	identity.AddReservedIdentityWithLabels(
		identity.ReservedIdentityHost, labels.NewFrom(labels.LabelHost))
}
