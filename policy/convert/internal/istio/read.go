// Package istio reads the CORS settings of VirtualServices. Start reading at Read.
package istio

// Tested by policy/convert/istio_test.go and policy/convert/istio_envoy_test.go.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
	"github.com/corsproc/corsproc/policy/printable"
)

// What Istio does is read from its control plane, version 1.31: what Envoy is told of a VirtualService, in
// pilot/pkg/networking/core/route/route.go; which VirtualServices share a virtual host, in core/gateway.go; delegates, in
// pilot/pkg/model/virtualservice.go; what is refused, in pkg/config/validation. What Envoy makes of it is kind envoy's.

var (
	istioKinds  = []kube.GroupKind{{Group: "networking.istio.io", Kind: "VirtualService"}}
	besideIstio = []kube.GroupKind{{Group: "networking.istio.io", Kind: "Gateway"}}
)

// An istioSpec is what is read of a VirtualService, which is the same in every version of its API.
type istioSpec struct {
	Spec struct {
		Hosts    []kube.Field[string]      `kube:"hosts"`
		Gateways []kube.Field[string]      `kube:"gateways"`
		HTTP     []httpRoute               `kube:"http"`
		TCP      kube.Field[kube.Anything] `kube:"tcp"`
		TLS      kube.Field[kube.Anything] `kube:"tls"`
	} `kube:"spec"`
}

// An httpRoute is an HTTPRoute.
type httpRoute struct {
	At       kube.Place
	Name     kube.Field[string] `kube:"name"`
	Match    []istioMatch       `kube:"match"`
	CORS     *corsPolicy        `kube:"corsPolicy"`
	Headers  *istioHeaders      `kube:"headers"`
	Redirect *struct{}          `kube:"redirect"`
	Response *struct{}          `kube:"directResponse"`
	Route    []struct {
		Headers *istioHeaders `kube:"headers"`
	} `kube:"route"`
	Delegate *struct {
		At        kube.Place
		Name      kube.Field[string] `kube:"name"`
		Namespace kube.Field[string] `kube:"namespace"`
	} `kube:"delegate"`
	from *virtualService // the one that has it: a delegate or itself
}

type istioHeaders struct {
	Response *struct {
		Set kube.Entries `kube:"set"`
		Add kube.Entries `kube:"add"`
	} `kube:"response"`
}

// An istioMatch is an HTTPMatchRequest.
type istioMatch struct {
	At              kube.Place
	URI             *istioText            `kube:"uri"`
	Scheme          *istioText            `kube:"scheme"`
	Method          *istioText            `kube:"method"`
	Authority       *istioText            `kube:"authority"`
	Headers         map[string]*istioText `kube:"headers"`
	WithoutHeaders  map[string]*istioText `kube:"withoutHeaders"`
	QueryParams     map[string]*istioText `kube:"queryParams"`
	Port            kube.Field[int64]     `kube:"port"`
	SourceLabels    kube.Entries          `kube:"sourceLabels"`
	SourceNamespace kube.Field[string]    `kube:"sourceNamespace"`
	Gateways        []kube.Field[string]  `kube:"gateways"`
	IgnoreCase      kube.Field[bool]      `kube:"ignoreUriCase"`
}

// An istioText is a StringMatch: one of the three.
type istioText struct {
	At     kube.Place
	Exact  kube.Field[string] `kube:"exact"`
	Prefix kube.Field[string] `kube:"prefix"`
	Regex  kube.Field[string] `kube:"regex"`
}

type corsPolicy struct {
	At               kube.Place
	AllowOrigin      []kube.Field[string] `kube:"allowOrigin"`
	AllowOrigins     []istioText          `kube:"allowOrigins"`
	AllowMethods     []kube.Field[string] `kube:"allowMethods"`
	AllowHeaders     []kube.Field[string] `kube:"allowHeaders"`
	ExposeHeaders    []kube.Field[string] `kube:"exposeHeaders"`
	MaxAge           kube.Field[string]   `kube:"maxAge"`
	AllowCredentials kube.Field[bool]     `kube:"allowCredentials"`
	Unmatched        kube.Field[string]   `kube:"unmatchedPreflights"`
}

// An virtualService is a VirtualService.
type virtualService struct {
	*kube.Object
	spec     istioSpec
	number   int      // in the order of the control plane
	gateways []string // namespace/name, or mesh
	routes   []httpRoute
}

// An istioGateway is a Gateway: the hosts for which it listens.
type istioGateway struct {
	Spec struct {
		Servers []struct {
			Port struct {
				Number   kube.Field[int64]  `kube:"number"`
				Protocol kube.Field[string] `kube:"protocol"`
			} `kube:"port"`
			Hosts []kube.Field[string] `kube:"hosts"`
			TLS   *struct {
				At       kube.Place
				Redirect kube.Field[bool] `kube:"httpsRedirect"`
			} `kube:"tls"`
		} `kube:"servers"`
	} `kube:"spec"`
	file string
}

// mesh is the name of all sidecars, where a Gateway could stand.
const mesh = "mesh"

// An reader reads VirtualServices.
type reader struct {
	b        *build.Builder
	all      []*virtualService
	byName   map[string]*virtualService // those without hosts, which others delegate to
	gateways map[string]*istioGateway
	places   map[*corsPolicy]build.Place
	merged   int                    // routes that delegates made
	heard    map[listening]listened // what a gateway listens for on behalf of a namespace
}

// Read reads VirtualServices, and Gateways where they are beside them.
func Read(b *build.Builder, sources []source.Source) error {
	objects, err := kube.ReadBeside(sources, besideIstio, istioKinds...)
	if err != nil {
		return err
	}
	r := &reader{b: b, byName: map[string]*virtualService{}, gateways: map[string]*istioGateway{}, heard: map[listening]listened{}, places: map[*corsPolicy]build.Place{}}
	found := false
	for _, o := range objects {
		if o.Kind == "Gateway" {
			g := &istioGateway{file: o.File}
			if o.Decode(g) == nil {
				r.gateways[o.Namespace()+"/"+o.Meta.Name.Value] = g
			}
			continue
		}
		found = true
		v := &virtualService{Object: o}
		if err := o.Decode(&v.spec); err != nil {
			return err
		}
		r.take(v)
	}
	if !found {
		return kube.Missing(sources, "VirtualService")
	}
	slices.SortStableFunc(r.all, func(a, b *virtualService) int { // sortConfigByCreationTime
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Meta.Name.Value+"."+a.Namespace(), b.Meta.Name.Value+"."+b.Namespace()))
	})
	for i, v := range r.all {
		v.number = i
		v.routes = r.delegated(v)
	}
	return r.write()
}

// take takes a VirtualService, unless the control plane refuses it.
func (r *reader) take(v *virtualService) {
	spec := &v.spec.Spec
	if at, why := v.refused(); why != "" {
		r.b.Warn(nil, v.Position(at), build.CodeInvalid, "", fmt.Sprintf("Istio refuses VirtualService %s: %s; it counts for nothing there, or an older one of this name does: it is passed over here", printable.Cut(v.Name()), why))
		return
	}
	for i := range spec.HTTP {
		spec.HTTP[i].from = v
	}
	if len(spec.Hosts) == 0 {
		r.byName[v.Namespace()+"/"+v.Meta.Name.Value] = v
		return
	}
	for _, g := range spec.Gateways {
		v.gateways = append(v.gateways, v.gatewayName(g.Value))
	}
	if len(v.gateways) == 0 {
		v.gateways = []string{mesh}
	}
	r.all = append(r.all, v)
}

// gatewayName returns the full name of a Gateway (resolveGatewayName).
func (v *virtualService) gatewayName(s string) string {
	if s == mesh || strings.Contains(s, "/") {
		return strings.Replace(s, "./", v.Namespace()+"/", 1)
	}
	if parts := strings.Split(s, "."); len(parts) > 1 {
		return parts[1] + "/" + parts[0]
	}
	return v.Namespace() + "/" + s
}
