package helm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// builtin is what the API server does with a new object of each of its own kinds that a manifest of ours may have.
var builtin = map[schema.GroupVersionKind]rest.RESTCreateStrategy{
	{Group: "apps", Version: "v1", Kind: "Deployment"}:                     deployment.Strategy,
	{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}: horizontalpodautoscaler.Strategy,
	{Version: "v1", Kind: "ConfigMap"}:                                     configmap.Strategy,
	{Version: "v1", Kind: "Pod"}:                                           pod.Strategy,
	{Version: "v1", Kind: "Service"}:                                       service.Strategy,
	{Version: "v1", Kind: "ServiceAccount"}:                                serviceaccount.Strategy,
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}:     networkpolicy.Strategy,
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}:          poddisruptionbudget.Strategy,
}

// check holds every document of a manifest to what an API server takes without a word, and its pods to the strictest of
// the Pod Security Standards.
func check(t *testing.T, manifests string) {
	t.Helper()
	documents := 0
	for text := range strings.SplitSeq("\n"+manifests, "\n---\n") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		documents++
		if err := admit([]byte(text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	if documents == 0 {
		t.Error("no document")
	}
}

// admit says what an API server has against a new object, warnings included.
func admit(document []byte) error {
	// Strict: unknown fields and fields that come twice are errors, as with kubectl's --validate=strict.
	codecs := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)
	external, gvk, err := codecs.UniversalDeserializer().Decode(document, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return admitCustom(document)
	}
	if err != nil {
		return err
	}
	strategy, ok := builtin[*gvk]
	if !ok {
		return fmt.Errorf("%s: this test does not know how it is checked", gvk)
	}
	if err := checkPodSecurity(external); err != nil {
		return err
	}
	legacyscheme.Scheme.Default(external)
	internal, err := legacyscheme.Scheme.ConvertToVersion(external, schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return err
	}
	// An object without a namespace is created in the namespace of the request.
	object := internal.(metav1.Object)
	if object.GetNamespace() == "" {
		object.SetNamespace("cors")
	}
	rest.FillObjectMetaSystemFields(object)
	if s, ok := internal.(*core.Service); ok && s.Spec.ClusterIP != "" && s.Spec.ClusterIPs == nil {
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP} // as the API server's storage does before the strategy sees it
	}
	ctx := genericapirequest.WithRequestInfo(genericapirequest.WithNamespace(context.Background(), object.GetNamespace()),
		&genericapirequest.RequestInfo{APIGroup: gvk.Group, APIVersion: gvk.Version})
	var errs []error
	for _, warning := range strategy.WarningsOnCreate(ctx, internal) {
		errs = append(errs, fmt.Errorf("warning: %s", warning))
	}
	return errors.Join(append(errs, rest.BeforeCreate(strategy, ctx, internal))...)
}

// checkPodSecurity holds pods to the "restricted" standard.
func checkPodSecurity(object runtime.Object) error {
	var template corev1.PodTemplateSpec
	switch o := object.(type) {
	case *appsv1.Deployment:
		template = o.Spec.Template
	case *corev1.Pod:
		template = corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	default:
		return nil
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	if result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec)); !result.Allowed {
		return fmt.Errorf("not within the restricted Pod Security Standard: %s", result.ForbiddenDetail())
	}
	return nil
}

// TestCheckChecks: what admit is for is found by it.
func TestCheckChecks(t *testing.T) {
	const container = "containers: [{name: a, image: a, securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}"
	for name, c := range map[string]struct{ document, want string }{
		"right":             {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {" + container + "}]}}", ""},
		"unknown field":     {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {" + container + "}], volume: []}}", `unknown field "spec.volume"`},
		"twice":             {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {}\ndata: {}\n", "data"},
		"a wrong value":     {"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 70000}]}}", "spec.ports[0].port"},
		"a missing mount":   {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {" + container + ", volumeMounts: [{name: b, mountPath: /b}]}]}}", `volumeMounts[0].name: Not found: "b"`},
		"root":              {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: a}]}}", "restricted"},
		"a selector missed": {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {" + container + "}]}}}}", "selector"},
		"unknown kind":      {"{apiVersion: example.com/v1, kind: Shop, metadata: {name: a}}", "no schema"},
		"CRD, unknown":      {"{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: a}, spec: {endpoints: [], selector: {}, job: a}}", "spec.job"},
		"CRD, wrong":        {"{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {secretName: a, issuerRef: {name: a}, usages: [reading]}}", "spec.usages"},
		"CRD, missing":      {"{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {secretName: a}}", "spec.issuerRef"},
		"CRD, attribute":    {"{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: EnvoyExtensionPolicy, metadata: {name: a}, spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: a}], extProc: [{backendRefs: [{name: a, port: 1}], processingMode: {request: {attributes: [xds.virtual_host_name]}}}]}}", "attributes"},
		"CRD, rule in CEL":  {"{apiVersion: networking.istio.io/v1alpha3, kind: EnvoyFilter, metadata: {name: a}, spec: {workloadSelector: {labels: {a: a}}, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: a}]}}", "only one of targetRefs or workloadSelector"},
	} {
		t.Run(name, func(t *testing.T) {
			err := admit([]byte("# " + name + "\n" + c.document)) // what begins with a brace is taken for JSON
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
