package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

// What Istio does is read from its control plane, version 1.31: what Envoy is told of a VirtualService, in
// pilot/pkg/networking/core/route/route.go; which VirtualServices share a virtual host, in core/gateway.go; delegates, in
// pilot/pkg/model/virtualservice.go; what is refused, in pkg/config/validation. What Envoy makes of it is kind envoy's.

var (
	istioKinds  = []kubernetesKind{{"networking.istio.io", "VirtualService"}}
	besideIstio = []kubernetesKind{{"networking.istio.io", "Gateway"}}
)

// An istioSpec is what is read of a VirtualService, which is the same in every version of its API.
type istioSpec struct {
	Spec struct {
		Hosts    []field[string] `kube:"hosts"`
		Gateways []field[string] `kube:"gateways"`
		HTTP     []istioHTTP     `kube:"http"`
		TCP      field[anything] `kube:"tcp"`
		TLS      field[anything] `kube:"tls"`
	} `kube:"spec"`
}

// An istioHTTP is an HTTPRoute.
type istioHTTP struct {
	At       fieldPlace
	Name     field[string] `kube:"name"`
	Match    []istioMatch  `kube:"match"`
	CORS     *istioCORS    `kube:"corsPolicy"`
	Headers  *istioHeaders `kube:"headers"`
	Redirect *struct{}     `kube:"redirect"`
	Response *struct{}     `kube:"directResponse"`
	Route    []struct {
		Headers *istioHeaders `kube:"headers"`
	} `kube:"route"`
	Delegate *struct {
		At        fieldPlace
		Name      field[string] `kube:"name"`
		Namespace field[string] `kube:"namespace"`
	} `kube:"delegate"`
	from *istioVS // the one that has it: a delegate or itself
}

type istioHeaders struct {
	Response *struct {
		Set kubernetesEntries `kube:"set"`
		Add kubernetesEntries `kube:"add"`
	} `kube:"response"`
}

// An istioMatch is an HTTPMatchRequest.
type istioMatch struct {
	At              fieldPlace
	URI             *istioText            `kube:"uri"`
	Scheme          *istioText            `kube:"scheme"`
	Method          *istioText            `kube:"method"`
	Authority       *istioText            `kube:"authority"`
	Headers         map[string]*istioText `kube:"headers"`
	WithoutHeaders  map[string]*istioText `kube:"withoutHeaders"`
	QueryParams     map[string]*istioText `kube:"queryParams"`
	Port            field[int64]          `kube:"port"`
	SourceLabels    kubernetesEntries     `kube:"sourceLabels"`
	SourceNamespace field[string]         `kube:"sourceNamespace"`
	Gateways        []field[string]       `kube:"gateways"`
	IgnoreCase      field[bool]           `kube:"ignoreUriCase"`
}

// An istioText is a StringMatch: one of the three.
type istioText struct {
	At     fieldPlace
	Exact  field[string] `kube:"exact"`
	Prefix field[string] `kube:"prefix"`
	Regex  field[string] `kube:"regex"`
}

type istioCORS struct {
	At               fieldPlace
	AllowOrigin      []field[string] `kube:"allowOrigin"`
	AllowOrigins     []istioText     `kube:"allowOrigins"`
	AllowMethods     []field[string] `kube:"allowMethods"`
	AllowHeaders     []field[string] `kube:"allowHeaders"`
	ExposeHeaders    []field[string] `kube:"exposeHeaders"`
	MaxAge           field[string]   `kube:"maxAge"`
	AllowCredentials field[bool]     `kube:"allowCredentials"`
	Unmatched        field[string]   `kube:"unmatchedPreflights"`
}

// An istioVS is a VirtualService.
type istioVS struct {
	*kubernetesObject
	spec     istioSpec
	number   int      // in the order of the control plane
	gateways []string // namespace/name, or mesh
	routes   []istioHTTP
}

// An istioGateway is a Gateway: the hosts for which it listens.
type istioGateway struct {
	Spec struct {
		Servers []struct {
			Port struct {
				Number   field[int64]  `kube:"number"`
				Protocol field[string] `kube:"protocol"`
			} `kube:"port"`
			Hosts []field[string] `kube:"hosts"`
			TLS   *struct {
				At       fieldPlace
				Redirect field[bool] `kube:"httpsRedirect"`
			} `kube:"tls"`
		} `kube:"servers"`
	} `kube:"spec"`
	file string
}

// mesh is the name of all sidecars, where a Gateway could stand.
const mesh = "mesh"

// An istioReader reads VirtualServices.
type istioReader struct {
	b        *builder
	all      []*istioVS
	byName   map[string]*istioVS // those without hosts, which others delegate to
	gateways map[string]*istioGateway
	places   map[*istioCORS]place
	merged   int                    // routes that delegates made
	heard    map[listening]listened // what a gateway listens for on behalf of a namespace
}

// readIstio reads VirtualServices, and Gateways where they are beside them.
func readIstio(b *builder, sources []Source) error {
	objects, err := readKubernetesBeside(sources, besideIstio, istioKinds...)
	if err != nil {
		return err
	}
	r := &istioReader{b: b, byName: map[string]*istioVS{}, gateways: map[string]*istioGateway{}, heard: map[listening]listened{}, places: map[*istioCORS]place{}}
	found := false
	for _, o := range objects {
		if o.kind == "Gateway" {
			g := &istioGateway{file: o.file}
			if o.decode(g) == nil {
				r.gateways[o.namespace()+"/"+o.meta.Name.Value] = g
			}
			continue
		}
		found = true
		v := &istioVS{kubernetesObject: o}
		if err := o.decode(&v.spec); err != nil {
			return err
		}
		r.take(v)
	}
	if !found {
		return noObject(sources, "VirtualService")
	}
	slices.SortStableFunc(r.all, func(a, b *istioVS) int { // sortConfigByCreationTime
		return cmp.Or(a.created.Compare(b.created), strings.Compare(a.meta.Name.Value+"."+a.namespace(), b.meta.Name.Value+"."+b.namespace()))
	})
	for i, v := range r.all {
		v.number = i
		v.routes = r.delegated(v)
	}
	return r.write()
}

// take takes a VirtualService, unless the control plane refuses it.
func (r *istioReader) take(v *istioVS) {
	spec := &v.spec.Spec
	if at, why := v.refused(); why != "" {
		r.b.warn(nil, v.position(at), codeInvalid, "", fmt.Sprintf("Istio refuses VirtualService %s: %s; it counts for nothing there, or an older one of this name does: it is passed over here", printable.Cut(v.name()), why))
		return
	}
	for i := range spec.HTTP {
		spec.HTTP[i].from = v
	}
	if len(spec.Hosts) == 0 {
		r.byName[v.namespace()+"/"+v.meta.Name.Value] = v
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
func (v *istioVS) gatewayName(s string) string {
	if s == mesh || strings.Contains(s, "/") {
		return strings.Replace(s, "./", v.namespace()+"/", 1)
	}
	if parts := strings.Split(s, "."); len(parts) > 1 {
		return parts[1] + "/" + parts[0]
	}
	return v.namespace() + "/" + s
}
