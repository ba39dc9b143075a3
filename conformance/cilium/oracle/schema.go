package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	kjson "sigs.k8s.io/json"

	"github.com/cilium/cilium/pkg/k8s/apis/cilium.io/client"
)

// crdOf finds the definition of a kind. NetworkPolicy has none, as it is part of Kubernetes.
func crdOf(apiVersion, kind string) (*apiextensionsv1.CustomResourceDefinition, error) {
	names := map[string]string{
		"cilium.io/v2 CiliumNetworkPolicy":            client.CNPCRDName,
		"cilium.io/v2 CiliumClusterwideNetworkPolicy": client.CCNPCRDName,
		"cilium.io/v2 CiliumCIDRGroup":                client.CCGCRDName,
		"cilium.io/v2alpha1 CiliumCIDRGroup":          client.CCGCRDName,
	}
	if name, known := names[apiVersion+" "+kind]; known {
		crd := client.GetPregeneratedCRD(quiet, name)
		return &crd, nil
	}
	if kind == "ClusterNetworkPolicy" {
		return clusterNetworkPolicyCRD()
	}
	return nil, nil
}

// schema checks objects of one kind as an API server does that serves the CRD.
type schema struct {
	structural *structuralschema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

var (
	schemasLock sync.Mutex
	schemas     = map[string]*schema{}
)

// schemaOf compiles the schema of a kind once; nil means that there is none.
func schemaOf(apiVersion, kind string) (*schema, error) {
	schemasLock.Lock()
	defer schemasLock.Unlock()
	name := apiVersion + " " + kind
	if known, found := schemas[name]; found {
		return known, nil
	}
	crd, err := crdOf(apiVersion, kind)
	if err != nil || crd == nil {
		return nil, err
	}
	for _, version := range crd.Spec.Versions {
		if crd.Spec.Group+"/"+version.Name != apiVersion {
			continue
		}
		props := &apiextensions.JSONSchemaProps{}
		err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
			version.Schema.OpenAPIV3Schema, props, nil)
		if err != nil {
			return nil, err
		}
		s := &schema{}
		if s.structural, err = structuralschema.NewStructural(props); err != nil {
			return nil, err
		}
		if s.openAPI, _, err = validation.NewSchemaValidator(props); err != nil {
			return nil, err
		}
		s.rules = cel.NewValidator(s.structural, true, celconfig.PerCallLimit)
		schemas[name] = s
		return s, nil
	}
	return nil, fmt.Errorf("the definition of %s has no version %s", kind, apiVersion)
}

// admit returns the object as an API server would store it, pruned and with defaults, and what
// the schema has against it, or "".
func (s *schema) admit(text []byte) (stored []byte, complaint string) {
	var object map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &object); err != nil {
		return text, err.Error()
	}
	pruning.Prune(object, s.structural, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
	defaulting.Default(object, s.structural)

	errs := validation.ValidateCustomResource(nil, object, s.openAPI)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, object)...)
	if len(errs) == 0 && s.rules != nil {
		broken, _ := s.rules.Validate(context.Background(), field.NewPath(""), s.structural,
			object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, broken...)
	}
	if len(errs) > 0 {
		return text, errs.ToAggregate().Error()
	}
	if stored, err := json.Marshal(object); err == nil {
		text = stored
	}
	return text, ""
}

// validateSchema applies the schema of an object's kind, if there is one.
func validateSchema(apiVersion, kind string, text []byte) (stored []byte, complaint string) {
	s, err := schemaOf(apiVersion, kind)
	if err != nil {
		return text, err.Error()
	}
	if s == nil {
		return text, ""
	}
	return s.admit(text)
}
