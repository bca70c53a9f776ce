package helm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// definition is how objects of a kind that the API server learns from a CustomResourceDefinition are checked.
type definition struct {
	validator  validation.SchemaValidator
	structural *structural.Structural
	rules      *cel.Validator // nil: it has none
}

// definitions are the kinds of testdata/crds, which holds the projects' own files.
var definitions = sync.OnceValues(func() (map[schema.GroupVersionKind]definition, error) {
	paths, err := filepath.Glob("testdata/crds/*.yaml")
	if err != nil {
		return nil, err
	}
	all := map[schema.GroupVersionKind]definition{}
	for _, path := range paths {
		if err := readDefinition(path, all); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
})

func readDefinition(path string, into map[schema.GroupVersionKind]definition) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &crd); err != nil {
		return err
	}
	for _, v := range crd.Spec.Versions {
		var internal apiextensions.CustomResourceValidation
		if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v.Schema, &internal, nil); err != nil {
			return err
		}
		var d definition
		if d.validator, _, err = validation.NewSchemaValidator(internal.OpenAPIV3Schema); err != nil {
			return err
		}
		if d.structural, err = structural.NewStructural(internal.OpenAPIV3Schema); err != nil {
			return err
		}
		d.rules = cel.NewValidator(d.structural, true, celconfig.PerCallLimit)
		into[schema.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}] = d
	}
	return nil
}

// admitCustom says what an API server has against a new object of a kind that it learnt.
func admitCustom(document []byte) error {
	var object unstructured.Unstructured
	asJSON, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	if err := object.UnmarshalJSON(asJSON); err != nil { // which reads whole numbers as such, as rules in CEL want them
		return err
	}
	all, err := definitions()
	if err != nil {
		return err
	}
	d, ok := all[object.GroupVersionKind()]
	if !ok {
		return fmt.Errorf("%s: no schema of it in testdata/crds", object.GroupVersionKind())
	}
	if object.GetName() == "" {
		return errors.New("metadata.name: required")
	}
	defaulting.Default(object.Object, d.structural)
	var errs []error
	for _, e := range validation.ValidateCustomResource(nil, object.Object, d.validator) {
		errs = append(errs, e)
	}
	if d.rules != nil {
		found, _ := d.rules.Validate(context.Background(), nil, d.structural, object.Object, nil, celconfig.RuntimeCELCostBudget)
		for _, e := range found {
			errs = append(errs, e)
		}
	}
	if unknown := pruning.PruneWithOptions(object.Object, d.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}); len(unknown) > 0 {
		errs = append(errs, fmt.Errorf("unknown: %s", strings.Join(unknown, ", ")))
	}
	return errors.Join(errs...)
}
