package gateway

// Tested by policy/convert/gateway_test.go and policy/convert/gateway_random_test.go.

import (
	"cmp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/kube"
)

// What import knows of the objects of Gateway API (gateway.networking.k8s.io, v1 and its predecessors) and of what stands
// beside them. The names are theirs.

const gatewayGroup = "gateway.networking.k8s.io"

var (
	kindHTTPRoute      = kube.GroupKind{Group: gatewayGroup, Kind: "HTTPRoute"}
	kindGRPCRoute      = kube.GroupKind{Group: gatewayGroup, Kind: "GRPCRoute"}
	kindGateway        = kube.GroupKind{Group: gatewayGroup, Kind: "Gateway"}
	kindListenerSet    = kube.GroupKind{Group: gatewayGroup, Kind: "ListenerSet"}
	kindXListenerSet   = kube.GroupKind{Group: "gateway.networking.x-k8s.io", Kind: "XListenerSet"}
	kindReferenceGrant = kube.GroupKind{Group: gatewayGroup, Kind: "ReferenceGrant"}
	kindNamespace      = kube.GroupKind{Group: "", Kind: "Namespace"}
)

type gatewaySpec struct {
	ParentRef gatewayRef        `kube:"parentRef"` // of a ListenerSet
	Listeners []gatewayListener `kube:"listeners"`
}

type gatewayListener struct {
	Place         kube.Place
	Name          kube.Field[string] `kube:"name"`
	Hostname      kube.Field[string] `kube:"hostname"`
	Port          kube.Field[int64]  `kube:"port"`
	Protocol      kube.Field[string] `kube:"protocol"`
	AllowedRoutes struct {
		Namespaces struct {
			From     kube.Field[string] `kube:"from"`
			Selector labelSelector      `kube:"selector"`
		} `kube:"namespaces"`
		Kinds []struct {
			Kind kube.Field[string] `kube:"kind"`
		} `kube:"kinds"`
	} `kube:"allowedRoutes"`
}

type labelSelector struct {
	MatchLabels      kube.Entries       `kube:"matchLabels"`
	MatchExpressions []labelRequirement `kube:"matchExpressions"`
}

type labelRequirement struct {
	Key      kube.Field[string]   `kube:"key"`
	Operator kube.Field[string]   `kube:"operator"`
	Values   []kube.Field[string] `kube:"values"`
}

// A gatewayRef names an object, or a part of one.
type gatewayRef struct {
	Place       kube.Place
	Group       kube.Field[string] `kube:"group"`
	Kind        kube.Field[string] `kube:"kind"`
	Namespace   kube.Field[string] `kube:"namespace"`
	Name        kube.Field[string] `kube:"name"`
	SectionName kube.Field[string] `kube:"sectionName"`
	Port        kube.Field[int64]  `kube:"port"`
}

type httpRouteSpec struct {
	ParentRefs []gatewayRef         `kube:"parentRefs"`
	Hostnames  []kube.Field[string] `kube:"hostnames"`
	Rules      []httpRouteRule      `kube:"rules"`
}

// An httpRouteRule is one of a GRPCRoute, too, whose matches have another method.
type httpRouteRule struct {
	Place       kube.Place
	Name        kube.Field[string] `kube:"name"`
	Matches     []httpRouteMatch   `kube:"matches"`
	Filters     []httpRouteFilter  `kube:"filters"`
	BackendRefs []struct {
		Filters []httpRouteFilter `kube:"filters"`
	} `kube:"backendRefs"`
}

type httpRouteMatch struct {
	Place kube.Place
	Path  struct {
		Place kube.Place
		Type  kube.Field[string] `kube:"type"`
		Value kube.Field[string] `kube:"value"`
	} `kube:"path"`
	Headers     []valueMatch       `kube:"headers"`
	QueryParams []valueMatch       `kube:"queryParams"`
	Method      kube.Field[string] `kube:"method"`
}

// A valueMatch matches or sets a header, or matches a parameter of the query. Which value does not matter here: a policy
// file looks at none.
type valueMatch struct {
	Place kube.Place
	Name  kube.Field[string] `kube:"name"`
}

type grpcRouteSpec struct {
	ParentRefs []gatewayRef         `kube:"parentRefs"`
	Hostnames  []kube.Field[string] `kube:"hostnames"`
	Rules      []struct {
		Place   kube.Place
		Name    kube.Field[string] `kube:"name"`
		Matches []struct {
			Place  kube.Place
			Method struct {
				Type    kube.Field[string] `kube:"type"`
				Service kube.Field[string] `kube:"service"`
				Method  kube.Field[string] `kube:"method"`
			} `kube:"method"`
			Headers []valueMatch `kube:"headers"`
		} `kube:"matches"`
	} `kube:"rules"`
}

type httpRouteFilter struct {
	Place        kube.Place
	Type         kube.Field[string] `kube:"type"`
	CORS         *corsFilter        `kube:"cors"`
	ExtensionRef gatewayRef         `kube:"extensionRef"`
	Response     struct {
		Set []valueMatch `kube:"set"`
		Add []valueMatch `kube:"add"`
	} `kube:"responseHeaderModifier"`
}

// corsFields are those of a CORS filter and of a SecurityPolicy's cors, which write max ages differently.
type corsFields[MaxAge int64 | string] struct {
	Place            kube.Place
	AllowOrigins     []kube.Field[string] `kube:"allowOrigins"`
	AllowCredentials kube.Field[bool]     `kube:"allowCredentials"`
	AllowMethods     []kube.Field[string] `kube:"allowMethods"`
	AllowHeaders     []kube.Field[string] `kube:"allowHeaders"`
	ExposeHeaders    []kube.Field[string] `kube:"exposeHeaders"`
	MaxAge           kube.Field[MaxAge]   `kube:"maxAge"`
}

type (
	corsFilter   = corsFields[int64]  // in seconds
	securityCORS = corsFields[string] // a duration
)

// matches reports whether labels fulfil a selector. An empty one selects everything.
func (s labelSelector) matches(labels kube.Entries) bool {
	for _, want := range s.MatchLabels {
		if has := labels.Get(want.Key); !has.Set() || has.Value != want.Value {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		has := labels.Get(e.Key.Value)
		in := has.Set() && slices.ContainsFunc(e.Values, func(v kube.Field[string]) bool { return v.Value == has.Value })
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

// byAge orders objects as Gateway API does where two claim the same: the oldest one first, then by namespace and name.
func byAge(a, b *kube.Object) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Namespace(), b.Namespace()), strings.Compare(a.Meta.Name.Value, b.Meta.Name.Value))
}
