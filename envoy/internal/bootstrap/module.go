package bootstrap

// Tested by envoy/e2e/modulerecipe_test.go.

import (
	"errors"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modulev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_modules/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// ModuleName is what the reference configurations call corsproc as a dynamic module, and its filter.
const ModuleName = "corsproc"

// Module is the HTTP filter that has corsproc in Envoy itself. Change it in place.
type Module struct {
	*modulev3.DynamicModuleFilter
	Settings *structpb.Struct  // its filter_config
	filter   *hcmv3.HttpFilter // what holds it
}

// readModule returns the filter as a Module, nil if it is none of corsproc's.
func readModule(filter *hcmv3.HttpFilter) (*Module, error) {
	m := &Module{DynamicModuleFilter: &modulev3.DynamicModuleFilter{}, Settings: &structpb.Struct{}, filter: filter}
	if !filter.GetTypedConfig().MessageIs(m.DynamicModuleFilter) {
		return nil, nil
	}
	if err := filter.GetTypedConfig().UnmarshalTo(m.DynamicModuleFilter); err != nil {
		return nil, fmt.Errorf("filter %s: %w", filter.GetName(), err)
	}
	if m.GetDynamicModuleConfig().GetName() != ModuleName {
		return nil, nil
	}
	if err := m.GetFilterConfig().UnmarshalTo(m.Settings); err != nil {
		return nil, fmt.Errorf("filter %s: filter_config: %w", filter.GetName(), err)
	}
	return m, nil
}

// Load has Envoy load this file, and the module read these policies.
func (m *Module) Load(file, policies string) {
	m.DynamicModuleConfig.Module = &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{
		Local: &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: file}},
	}}
	m.Settings.Fields["policies"] = structpb.NewStringValue(policies)
}

// pack puts the module back into what holds it.
func (m *Module) pack() error {
	settings, err := anypb.New(m.Settings)
	m.FilterConfig = settings
	packed, alsoFailed := anypb.New(m.DynamicModuleFilter)
	m.filter.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed}
	return errors.Join(err, alsoFailed)
}
