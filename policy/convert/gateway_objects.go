package convert

// Tested by gateway_test.go, gateway_random_test.go and golden_test.go.

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// What import knows of the objects of Gateway API (gateway.networking.k8s.io, v1 and its predecessors) and of what stands
// beside them. The names are theirs.

const gatewayGroup = "gateway.networking.k8s.io"

var (
	kindHTTPRoute      = kubernetesKind{gatewayGroup, "HTTPRoute"}
	kindGRPCRoute      = kubernetesKind{gatewayGroup, "GRPCRoute"}
	kindGateway        = kubernetesKind{gatewayGroup, "Gateway"}
	kindListenerSet    = kubernetesKind{gatewayGroup, "ListenerSet"}
	kindXListenerSet   = kubernetesKind{"gateway.networking.x-k8s.io", "XListenerSet"}
	kindReferenceGrant = kubernetesKind{gatewayGroup, "ReferenceGrant"}
	kindNamespace      = kubernetesKind{"", "Namespace"}
)

type gatewaySpec struct {
	ParentRef gatewayRef        `kube:"parentRef"` // of a ListenerSet
	Listeners []gatewayListener `kube:"listeners"`
}

type gatewayListener struct {
	Place         fieldPlace
	Name          field[string] `kube:"name"`
	Hostname      field[string] `kube:"hostname"`
	Port          field[int64]  `kube:"port"`
	Protocol      field[string] `kube:"protocol"`
	AllowedRoutes struct {
		Namespaces struct {
			From     field[string] `kube:"from"`
			Selector labelSelector `kube:"selector"`
		} `kube:"namespaces"`
		Kinds []struct {
			Kind field[string] `kube:"kind"`
		} `kube:"kinds"`
	} `kube:"allowedRoutes"`
}

type labelSelector struct {
	MatchLabels      kubernetesEntries  `kube:"matchLabels"`
	MatchExpressions []labelRequirement `kube:"matchExpressions"`
}

type labelRequirement struct {
	Key      field[string]   `kube:"key"`
	Operator field[string]   `kube:"operator"`
	Values   []field[string] `kube:"values"`
}

// A gatewayRef names an object, or a part of one.
type gatewayRef struct {
	Place       fieldPlace
	Group       field[string] `kube:"group"`
	Kind        field[string] `kube:"kind"`
	Namespace   field[string] `kube:"namespace"`
	Name        field[string] `kube:"name"`
	SectionName field[string] `kube:"sectionName"`
	Port        field[int64]  `kube:"port"`
}

type httpRouteSpec struct {
	ParentRefs []gatewayRef    `kube:"parentRefs"`
	Hostnames  []field[string] `kube:"hostnames"`
	Rules      []httpRouteRule `kube:"rules"`
}

// An httpRouteRule is one of a GRPCRoute, too, whose matches have another method.
type httpRouteRule struct {
	Place       fieldPlace
	Name        field[string]     `kube:"name"`
	Matches     []httpRouteMatch  `kube:"matches"`
	Filters     []httpRouteFilter `kube:"filters"`
	BackendRefs []struct {
		Filters []httpRouteFilter `kube:"filters"`
	} `kube:"backendRefs"`
}

type httpRouteMatch struct {
	Place fieldPlace
	Path  struct {
		Place fieldPlace
		Type  field[string] `kube:"type"`
		Value field[string] `kube:"value"`
	} `kube:"path"`
	Headers     []valueMatch  `kube:"headers"`
	QueryParams []valueMatch  `kube:"queryParams"`
	Method      field[string] `kube:"method"`
}

// A valueMatch matches or sets a header, or matches a parameter of the query. Which value does not matter here: a policy
// file looks at none.
type valueMatch struct {
	Place fieldPlace
	Name  field[string] `kube:"name"`
}

type grpcRouteSpec struct {
	ParentRefs []gatewayRef    `kube:"parentRefs"`
	Hostnames  []field[string] `kube:"hostnames"`
	Rules      []struct {
		Place   fieldPlace
		Name    field[string] `kube:"name"`
		Matches []struct {
			Place  fieldPlace
			Method struct {
				Type    field[string] `kube:"type"`
				Service field[string] `kube:"service"`
				Method  field[string] `kube:"method"`
			} `kube:"method"`
			Headers []valueMatch `kube:"headers"`
		} `kube:"matches"`
	} `kube:"rules"`
}

type httpRouteFilter struct {
	Place        fieldPlace
	Type         field[string] `kube:"type"`
	CORS         *corsFilter   `kube:"cors"`
	ExtensionRef gatewayRef    `kube:"extensionRef"`
	Response     struct {
		Set []valueMatch `kube:"set"`
		Add []valueMatch `kube:"add"`
	} `kube:"responseHeaderModifier"`
}

type corsFilter struct {
	Place            fieldPlace
	AllowOrigins     []field[string] `kube:"allowOrigins"`
	AllowCredentials field[bool]     `kube:"allowCredentials"`
	AllowMethods     []field[string] `kube:"allowMethods"`
	AllowHeaders     []field[string] `kube:"allowHeaders"`
	ExposeHeaders    []field[string] `kube:"exposeHeaders"`
	MaxAge           field[int64]    `kube:"maxAge"`
}

// position is where something stands in the object's file; the object itself, where that is not known.
func (o *kubernetesObject) position(line, column int) Position {
	if line == 0 {
		line, column = o.line, o.column
	}
	return Position{o.file, line, column}
}

func (p Position) fault(message string) error {
	return &InputError{File: p.File, Line: p.Line, Column: p.Column, Message: message}
}

// byAge orders objects as Gateway API does where two claim the same: the oldest one first, then by namespace and name.
func byAge(a, b *kubernetesObject) int {
	return cmp.Or(a.created().Compare(b.created()), strings.Compare(a.namespace(), b.namespace()), strings.Compare(a.meta.Name.Value, b.meta.Name.Value))
}

// created is when an object was made: long ago, if its file does not say it.
func (o *kubernetesObject) created() time.Time {
	t, err := time.Parse(time.RFC3339, o.meta.CreationTimestamp.Value)
	if err != nil {
		return time.Time{}
	}
	return t
}

// matches reports whether labels fulfil a selector. An empty one selects everything.
func (s labelSelector) matches(labels kubernetesEntries) bool {
	for _, want := range s.MatchLabels {
		if has := labels.get(want.Key); !has.Set() || has.Value != want.Value {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		has := labels.get(e.Key.Value)
		in := has.Set() && slices.ContainsFunc(e.Values, func(v field[string]) bool { return v.Value == has.Value })
		switch e.Operator.Value {
		case "In":
			if !in {
				return false
			}
		case "NotIn":
			if in {
				return false
			}
		case "Exists":
			if !has.Set() {
				return false
			}
		case "DoesNotExist":
			if has.Set() {
				return false
			}
		default:
			return false
		}
	}
	return true
}
