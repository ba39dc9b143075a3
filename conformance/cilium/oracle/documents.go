package oracle

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
	"sigs.k8s.io/yaml"

	ipcachetypes "github.com/cilium/cilium/pkg/ipcache/types"
	"github.com/cilium/cilium/pkg/k8s"
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slimnetworkingv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	"github.com/cilium/cilium/pkg/policy"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	policyutils "github.com/cilium/cilium/pkg/policy/utils"
	"github.com/cilium/cilium/pkg/source"
)

// The stages at which a document can be refused.
const (
	stageYAML   = "yaml"
	stageDecode = "decode"
	stageSchema = "schema"
	stageParse  = "parse"
)

var quiet = slog.New(slog.DiscardHandler)

// document is one object of a scenario's policies, and what became of it.
type document struct {
	PolicyAnswer

	kind     kind
	resource ipcachetypes.ResourceID
	source   source.Source
	entries  policytypes.PolicyEntries
	prefixes []netip.Prefix
	group    *CIDRGroup
}

// Document is one document of a YAML stream: its JSON form, or why it has none.
type Document struct {
	JSON []byte
	Err  error
}

// SplitDocuments cuts a YAML stream the way Kubernetes does and turns each document into JSON.
// Empty documents are left out.
func SplitDocuments(text string) []Document {
	var documents []Document
	reader := k8syaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			return append(documents, Document{Err: err})
		}
		document, err := yaml.YAMLToJSON(part)
		if err != nil {
			documents = append(documents, Document{Err: err})
		} else if string(document) != "null" {
			documents = append(documents, Document{JSON: document})
		}
	}
}

// readDocuments reads all policies of a scenario.
func readDocuments(s *Scenario) []*document {
	var documents []*document
	for _, text := range s.Policies {
		for _, part := range SplitDocuments(text) {
			if part.Err != nil {
				d := &document{}
				d.refuse(stageYAML, part.Err)
				documents = append(documents, d)
				continue
			}
			for _, object := range expandList(part.JSON) {
				d := &document{}
				d.read(s.Config, object)
				documents = append(documents, d)
			}
		}
	}
	for i, d := range documents {
		d.Index = i
	}
	return documents
}

// expandList returns the items of a list object, or the object itself. As in kubectl, an item
// of a typed list may lack the type that the list implies.
func expandList(object []byte) [][]byte {
	var list struct {
		metav1.TypeMeta `json:",inline"`
		Items           []map[string]any `json:"items"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(object, &list); err != nil ||
		!strings.HasSuffix(list.Kind, "List") || list.Items == nil {
		return [][]byte{object}
	}
	var items [][]byte
	for _, item := range list.Items {
		if kind := strings.TrimSuffix(list.Kind, "List"); kind != "" && item != nil {
			if item["kind"] == nil {
				item["kind"] = kind
			}
			if item["apiVersion"] == nil {
				item["apiVersion"] = list.APIVersion
			}
		}
		if text, err := json.Marshal(item); err == nil {
			items = append(items, text)
		}
	}
	return items
}

func (d *document) refuse(stage string, err error) {
	d.Accepted = false
	d.Stage = stage
	d.Error = err.Error()
}

// read decodes, checks and parses one object.
func (d *document) read(config Config, text []byte) {
	var head struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &head); err != nil {
		d.refuse(stageDecode, err)
		return
	}
	d.Kind, d.Name, d.Namespace = head.Kind, head.Metadata.Name, head.Metadata.Namespace

	kind, known := kinds[head.APIVersion+" "+head.Kind]
	if !known {
		d.refuse(stageDecode, fmt.Errorf("no kind %q in version %q", head.Kind, head.APIVersion))
		return
	}
	d.kind = kind
	if !kind.namespaced {
		d.Namespace = ""
	} else if d.Namespace == "" {
		d.Namespace = metav1.NamespaceDefault
	}
	d.resource = ipcachetypes.NewResourceID(kind.resource, d.Namespace, d.Name)
	d.source = kind.source

	var stored []byte
	err := guard("schema", func() error {
		stored, d.Schema = validateSchema(head.APIVersion, head.Kind, text)
		return nil
	})
	if err != nil {
		d.Schema = err.Error()
	}
	if config.EnforceSchema {
		if d.Schema != "" {
			d.refuse(stageSchema, errors.New(d.Schema))
			return
		}
		text = stored
	}

	var parse func() error
	err = guard("decode", func() (err error) {
		parse, err = kind.decode(d, config, text)
		return err
	})
	if err != nil {
		d.refuse(stageDecode, err)
		return
	}
	err = guard("parse", func() error {
		if err := parse(); err != nil {
			return err
		}
		if d.group == nil {
			d.prefixes = policy.GetCIDRPrefixes(d.entries)
		}
		return nil
	})
	if err != nil {
		d.entries, d.prefixes = nil, nil
		d.refuse(stageParse, err)
		return
	}
	d.Accepted = true
	d.Entries = len(d.entries)
	for _, prefix := range d.prefixes {
		d.Prefixes = append(d.Prefixes, prefix.String())
	}
	slices.Sort(d.Prefixes)
	d.Prefixes = slices.Compact(d.Prefixes)
}

// guard turns a panic of Cilium's code into an error.
func guard(what string, run func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%s panics: %v", what, cause)
		}
	}()
	return run()
}

// kind tells how objects of one kind become policy entries. decode returns the second step,
// because a failure there counts as another stage.
type kind struct {
	resource   ipcachetypes.ResourceKind
	source     source.Source
	namespaced bool
	decode     func(*document, Config, []byte) (parse func() error, err error)
}

var kinds = map[string]kind{
	"cilium.io/v2 CiliumNetworkPolicy": {
		ipcachetypes.ResourceKindCNP, source.CustomResource, true, decodeCNP},
	"cilium.io/v2 CiliumClusterwideNetworkPolicy": {
		ipcachetypes.ResourceKindCCNP, source.CustomResource, false, decodeCNP},
	"cilium.io/v2 CiliumCIDRGroup": {
		ipcachetypes.ResourceKindCIDRGroup, source.Generated, false, decodeCIDRGroup},
	"cilium.io/v2alpha1 CiliumCIDRGroup": {
		ipcachetypes.ResourceKindCIDRGroup, source.Generated, false, decodeCIDRGroup},
	"networking.k8s.io/v1 NetworkPolicy": {
		ipcachetypes.ResourceKindNetpol, source.Kubernetes, true, decodeNetworkPolicy},
	"policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy": {
		ipcachetypes.ResourceKindKCNP, source.Kubernetes, false, decodeClusterNetworkPolicy},
}

// decodeCNP reads both kinds of Cilium policies: without a namespace the agent takes the object
// as a clusterwide one. No service exists in a scenario, so toServices stays as it is, which is
// also what the agent's translation does when it finds no service.
func decodeCNP(d *document, config Config, text []byte) (func() error, error) {
	object := &ciliumv2.CiliumNetworkPolicy{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, object); err != nil {
		return nil, err
	}
	object.Namespace = d.Namespace
	return func() error {
		rules, err := object.Parse(quiet, config.policyCluster())
		if err != nil {
			return err
		}
		d.entries = policyutils.RulesToPolicyEntries(rules)
		return nil
	}, nil
}

func decodeNetworkPolicy(d *document, config Config, text []byte) (func() error, error) {
	object := &slimnetworkingv1.NetworkPolicy{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, object); err != nil {
		return nil, err
	}
	object.Namespace = d.Namespace
	return func() (err error) {
		d.entries, err = k8s.ParseNetworkPolicy(quiet, config.policyCluster(), object)
		return err
	}, nil
}

func decodeClusterNetworkPolicy(d *document, config Config, text []byte) (func() error, error) {
	object := &policyv1alpha2.ClusterNetworkPolicy{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, object); err != nil {
		return nil, err
	}
	object.Namespace = ""
	return func() (err error) {
		d.entries, err = k8s.ParseClusterNetworkPolicy(quiet, config.policyCluster(), object)
		if err == nil && len(d.entries) > 0 && d.entries[0].Subject == nil {
			// The agent would crash on this one when it adds it to the repository.
			return errors.New("subject has neither namespaces nor pods")
		}
		return err
	}, nil
}

func decodeCIDRGroup(d *document, _ Config, text []byte) (func() error, error) {
	object := &ciliumv2.CiliumCIDRGroup{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, object); err != nil {
		return nil, err
	}
	return func() error {
		d.group = &CIDRGroup{Name: object.Name, Labels: object.Labels}
		for _, cidr := range object.Spec.ExternalCIDRs {
			d.group.CIDRs = append(d.group.CIDRs, string(cidr))
		}
		d.prefixes = d.group.prefixes()
		return nil
	}, nil
}
