// Package bootstrap reads the reference configurations of envoy/ and changes in them what has to differ where they are
// run: ports, routes, upstreams and, for tests, neighbouring filters. The filters that ask corsproc and its cluster stay
// as they are in the file, so that whoever runs the result runs what people copy.
//
// It knows Envoy's configuration, not corsproc's: no policy, no request. Start reading at [Load].
package bootstrap

// Tested by envoy/e2e/recipes_test.go.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3" // read by name
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"   // read by name
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3" // read by name
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"                           // read by name
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// ClusterName is the cluster in which the reference configurations promise that the service is found.
const ClusterName = "corsproc"

// Config is a reference configuration. Change Manager, Processors and Module in place; [Config.JSON] packs them back.
type Config struct {
	Bootstrap  *bootstrapv3.Bootstrap
	Listener   *listenerv3.Listener         // the only listener
	Manager    *hcmv3.HttpConnectionManager // its HTTP connection manager
	Processors []*Processor                 // the filters that ask corsproc, in their order
	Module     *Module                      // the filter that is corsproc; nil: it is asked
	network    *listenerv3.Filter           // what holds Manager
	routes     *routev3.RouteConfiguration
}

// Load reads a configuration file with one listener, one HTTP connection manager, and in it filters that ask corsproc, or one
// that is corsproc.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// LoadAs reads a configuration in which things are called otherwise: Listener is the one of that name among others, and
// the service is found in that cluster.
func LoadAs(path, listener, cluster string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := parse(data, listener, cluster)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads what [Load] reads from a file.
func Parse(data []byte) (*Config, error) { return parse(data, "", ClusterName) }

// parse reads a configuration; an empty name stands for the only listener.
func parse(data []byte, listener, cluster string) (*Config, error) {
	c := &Config{Bootstrap: &bootstrapv3.Bootstrap{}, Manager: &hcmv3.HttpConnectionManager{}}
	if err := unmarshal(data, c.Bootstrap); err != nil {
		return nil, err
	}
	listeners := c.Bootstrap.GetStaticResources().GetListeners()
	if listener != "" {
		listeners = slices.DeleteFunc(slices.Clone(listeners), func(l *listenerv3.Listener) bool { return l.GetName() != listener })
	}
	if len(listeners) != 1 {
		return nil, fmt.Errorf("%d listeners, want one", len(listeners))
	}
	c.Listener = listeners[0]
	chains := slices.Clone(c.Listener.GetFilterChains())
	if c.Listener.GetDefaultFilterChain() != nil {
		chains = append(chains, c.Listener.GetDefaultFilterChain())
	}
	if len(chains) != 1 || len(chains[0].GetFilters()) != 1 {
		return nil, errors.New("want one filter chain of one filter")
	}
	c.network = chains[0].GetFilters()[0]
	if err := c.network.GetTypedConfig().UnmarshalTo(c.Manager); err != nil {
		return nil, err
	}
	if c.routes = c.Manager.GetRouteConfig(); c.routes == nil {
		return nil, errors.New("want an inline route_config")
	}
	for _, f := range c.Manager.GetHttpFilters() {
		p, err := readProcessor(f, cluster)
		if err != nil {
			return nil, err
		}
		if p != nil {
			c.Processors = append(c.Processors, p)
		}
		m, err := readModule(f)
		if err != nil {
			return nil, err
		}
		if m != nil {
			c.Module = m
		}
	}
	if len(c.ours()) == 0 {
		return nil, fmt.Errorf("no HTTP filter asks the cluster %s, and none is the module %s", cluster, ModuleName)
	}
	return c, nil
}

// ours returns the HTTP filters that ask corsproc, or are it.
func (c *Config) ours() (filters []*hcmv3.HttpFilter) {
	for _, p := range c.Processors {
		filters = append(filters, p.filter)
	}
	if c.Module != nil {
		filters = append(filters, c.Module.filter)
	}
	return filters
}

// JSON returns the configuration in the form that Envoy reads from a file whose name ends in .json.
func (c *Config) JSON() ([]byte, error) {
	if c.Module != nil {
		if err := c.Module.pack(); err != nil {
			return nil, err
		}
	}
	for _, p := range c.Processors {
		if err := p.pack(); err != nil {
			return nil, err
		}
	}
	manager, err := anypb.New(c.Manager)
	if err != nil {
		return nil, err
	}
	c.network.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: manager}
	return Marshal(c.Bootstrap)
}

// Marshal returns a bootstrap in the form that Envoy reads from a file whose name ends in .json.
func Marshal(b *bootstrapv3.Bootstrap) ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: true, Multiline: true}.Marshal(b)
}

// WriteTemp writes the configuration to a temporary file, which is the caller's to remove.
func (c *Config) WriteTemp() (path string, err error) {
	data, err := c.JSON()
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "corsproc-envoy-*.json")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	return f.Name(), errors.Join(err, f.Close())
}

// Listen sets the addresses of the listener and of Envoy's admin interface. Port 0 is any free one.
func (c *Config) Listen(listener, admin Address) {
	c.Listener.Address = listener.message()
	c.Bootstrap.Admin.Address = admin.message()
}

// Cluster returns the cluster of that name.
func (c *Config) Cluster(name string) (*clusterv3.Cluster, error) {
	for _, cluster := range c.Bootstrap.GetStaticResources().GetClusters() {
		if cluster.GetName() == name {
			return cluster, nil
		}
	}
	return nil, fmt.Errorf("no cluster is called %s", name)
}

// SetEndpoint replaces the only endpoint of a cluster by one, or by several that are alike but for their addresses.
func (c *Config) SetEndpoint(cluster string, addresses ...Address) error {
	found, err := c.Cluster(cluster)
	if err != nil {
		return err
	}
	localities := found.GetLoadAssignment().GetEndpoints()
	if len(localities) != 1 || len(localities[0].GetLbEndpoints()) != 1 {
		return fmt.Errorf("cluster %s: want one endpoint", cluster)
	}
	endpoints := make([]*endpointv3.LbEndpoint, len(addresses))
	for i, a := range addresses {
		endpoints[i] = proto.CloneOf(localities[0].GetLbEndpoints()[0])
		endpoints[i].GetEndpoint().Address = a.message()
	}
	localities[0].LbEndpoints = endpoints
	return nil
}

// SetVirtualHosts replaces the virtual hosts by those of a YAML list in Envoy's format.
func (c *Config) SetVirtualHosts(list string) error {
	var wrapped routev3.RouteConfiguration
	if err := unmarshalList("virtual_hosts", list, &wrapped); err != nil {
		return err
	}
	c.routes.VirtualHosts = wrapped.GetVirtualHosts()
	return nil
}

// AddFilters puts the HTTP filters of two YAML lists in Envoy's format before and after those of corsproc. The packages of
// their Go types have to be linked.
func (c *Config) AddFilters(before, after string) error {
	var first, second hcmv3.HttpConnectionManager
	if err := errors.Join(unmarshalList("http_filters", before, &first), unmarshalList("http_filters", after, &second)); err != nil {
		return err
	}
	var all []*hcmv3.HttpFilter
	ours := c.ours()
	for _, f := range c.Manager.GetHttpFilters() {
		if f == ours[0] {
			all = append(all, first.GetHttpFilters()...)
		}
		all = append(all, f)
		if f == ours[len(ours)-1] {
			all = append(all, second.GetHttpFilters()...)
		}
	}
	c.Manager.HttpFilters = all
	return nil
}

// Address is an IP address and a port.
type Address struct {
	IP   string
	Port uint16
}

// ParseAddress reads host:port, where host is an IP address.
func ParseAddress(s string) (Address, error) {
	a, err := netip.ParseAddrPort(s)
	return Address{a.Addr().String(), a.Port()}, err
}

func (a Address) message() *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: a.IP, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(a.Port)},
	}}}
}

// unmarshalList reads a YAML list as the field of a message; an empty text is an empty list.
func unmarshalList(field, list string, into proto.Message) error {
	var value any
	if err := yaml.Unmarshal([]byte(list), &value); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	if value == nil {
		return nil
	}
	return unmarshalValue(map[string]any{field: value}, into)
}

// unmarshal reads a message from the YAML form of its JSON.
func unmarshal(data []byte, into proto.Message) error {
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		return err
	}
	return unmarshalValue(value, into)
}

func unmarshalValue(value any, into proto.Message) error {
	asJSON, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(asJSON, into)
}
