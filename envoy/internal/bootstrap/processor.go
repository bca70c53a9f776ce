package bootstrap

// Tested by envoy/e2e/recipes_test.go.

import (
	"fmt"
	"slices"

	_ "github.com/cncf/xds/go/xds/type/matcher/v3" // read by name
	matchingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/matching/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/matcher/action/v3" // read by name
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3" // read by name
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Processor is an HTTP filter that asks corsproc, which is what tells it from other ext_proc filters. Change it in place.
type Processor struct {
	*extprocv3.ExternalProcessor
	Name    string                           // the filter's
	Matcher *matchingv3.ExtensionWithMatcher // says which requests the filter leaves alone; nil: none
	filter  *hcmv3.HttpFilter                // what holds it
}

// readProcessor returns the filter as a Processor, nil if it does not ask the service in that cluster.
func readProcessor(filter *hcmv3.HttpFilter, cluster string) (*Processor, error) {
	p := &Processor{Name: filter.GetName(), filter: filter}
	message, err := filter.GetTypedConfig().UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", filter.GetName(), err)
	}
	if m, ok := message.(*matchingv3.ExtensionWithMatcher); ok {
		p.Matcher = m
		if message, err = m.GetExtensionConfig().GetTypedConfig().UnmarshalNew(); err != nil {
			return nil, fmt.Errorf("filter %s: %w", filter.GetName(), err)
		}
	}
	var ok bool
	if p.ExternalProcessor, ok = message.(*extprocv3.ExternalProcessor); !ok {
		return nil, nil
	}
	if p.GetGrpcService().GetEnvoyGrpc().GetClusterName() != cluster {
		return nil, nil
	}
	return p, nil
}

// pack puts the processor back into what holds it.
func (p *Processor) pack() error {
	var outer proto.Message = p.ExternalProcessor
	if p.Matcher != nil {
		packed, err := anypb.New(p.ExternalProcessor)
		if err != nil {
			return err
		}
		p.Matcher.ExtensionConfig.TypedConfig = packed
		outer = p.Matcher
	}
	packed, err := anypb.New(outer)
	p.filter.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed}
	return err
}

// RemoveProcessors takes the filters that ask corsproc out of the chain, for comparisons with what does without them.
func (c *Config) RemoveProcessors() {
	c.Manager.HttpFilters = slices.DeleteFunc(c.Manager.HttpFilters, func(f *hcmv3.HttpFilter) bool {
		return slices.ContainsFunc(c.Processors, func(p *Processor) bool { return p.filter == f })
	})
	c.Processors = nil
}
