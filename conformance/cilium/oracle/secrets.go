package oracle

import (
	"context"

	"github.com/cilium/cilium/pkg/policy/api"
)

// secretsBySDS answers as an agent does that leaves TLS secrets to Envoy's secret discovery, the
// default: no secret is read when a policy is resolved, so none can be missing.
type secretsBySDS struct{}

// GetTLSContext implements certificatemanager.CertificateManager.
func (secretsBySDS) GetTLSContext(context.Context, *api.TLSContext, string) (ca, public, private string, inline bool, err error) {
	return "", "", "", false, nil
}

// GetSecretString implements certificatemanager.SecretManager.
func (secretsBySDS) GetSecretString(context.Context, *api.Secret, string) (string, error) {
	return "", nil
}

// PolicySecretSyncEnabled implements certificatemanager.SecretManager.
func (secretsBySDS) PolicySecretSyncEnabled() bool { return true }

// SecretsOnlyFromSecretsNamespace implements certificatemanager.SecretManager.
func (secretsBySDS) SecretsOnlyFromSecretsNamespace() bool { return true }

// secretsNamespace is where the agent keeps copies of secrets for Envoy.
const secretsNamespace = "cilium-secrets"

// GetSecretSyncNamespace implements certificatemanager.SecretManager.
func (secretsBySDS) GetSecretSyncNamespace() string { return secretsNamespace }
