package oracle

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
	"sigs.k8s.io/yaml"
)

// clusterNetworkPolicyFile is the definition in the experimental channel of network-policy-api:
// the standard one lacks the domainNames and nodes that Cilium reads.
const clusterNetworkPolicyFile = "config/crd/experimental/policy.networking.k8s.io_clusternetworkpolicies.yaml"

// clusterNetworkPolicyCRD reads the definition once. The module exports the Go types but not the
// CRD, which therefore comes from the sources that this program was built from: they stay where
// they are in the module cache. (So do not build with -trimpath.)
var clusterNetworkPolicyCRD = sync.OnceValues(func() (*apiextensionsv1.CustomResourceDefinition, error) {
	deepCopy := reflect.ValueOf((*policyv1alpha2.ClusterNetworkPolicy).DeepCopy)
	source, _ := runtime.FuncForPC(deepCopy.Pointer()).FileLine(deepCopy.Pointer())
	module := filepath.Join(filepath.Dir(source), "..", "..") // apis/v1alpha2
	text, err := os.ReadFile(filepath.Join(module, clusterNetworkPolicyFile))
	if err != nil {
		return nil, fmt.Errorf("the definition of ClusterNetworkPolicy (run `go mod download`): %w", err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	return crd, yaml.Unmarshal(text, crd)
})
