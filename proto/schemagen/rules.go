package main

// Tested by schema_test.go.

import "google.golang.org/protobuf/reflect/protoreflect"

// name is what names of policies and origin sets are made of.
const name = "^[A-Za-z0-9._-]{1,200}$"

const (
	// token is what methods and field names are.
	token = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
	// fieldName is a token, or stands for the headers of a kind of client.
	fieldName = "^(@connect|@grpc-web|[!#$%&'*+.^_`|~0-9A-Za-z-]+)$"
	// origin is the form of origin patterns: whether a browser sends such an origin is more than an expression can say.
	origin = `^(\*|null|@[A-Za-z0-9._-]{1,200}|file://|[a-z][a-z0-9+.-]*://[^/?#@\s]+)$`
)

// alone says that the policies that are built in stand alone in a list.
var alone = object{
	{"if", object{{"contains", object{{"enum", []string{"none", "passthrough"}}}}}},
	{"then", object{{"maxItems", 1}}},
}

// rules are what a schema says of a message or a field beyond its type.
var rules = map[protoreflect.FullName]object{
	"corsproc.v1.PolicySet.policies": {{"propertyNames", object{
		{"pattern", name}, {"not", object{{"enum", []string{"none", "passthrough"}}}},
	}}},
	"corsproc.v1.PolicySet.origin_sets":   {{"propertyNames", object{{"pattern", name}}}},
	"corsproc.v1.PolicySet.origin_files":  {{"propertyNames", object{{"pattern", name}}}},
	"corsproc.v1.Policy.max_age":          {{"pattern", "^([0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s)$"}},
	"corsproc.v1.Policy.preflight_status": {{"enum", []int{200, 204}}},
	"corsproc.v1.PolicyList.names":        append(object{{"minItems", 1}}, alone...),
	"corsproc.v1.VirtualHost":             {{"anyOf", required("name", "domains")}},
	"corsproc.v1.VirtualHost.name":        {{"minLength", 1}},
	"corsproc.v1.Route":                   {{"oneOf", required("route_name", "path", "prefix", "path_separated_prefix", "regex")}},
	"corsproc.v1.Route.route_name":        {{"minLength", 1}},
	"corsproc.v1.Route.regex":             {{"minLength", 1}},
	"corsproc.v1.Route.path":              {{"pattern", "^/[^?#]*$"}},
	"corsproc.v1.Route.prefix":            {{"pattern", "^/[^?#]*$"}},
	"corsproc.v1.Route.path_separated_prefix": {
		{"pattern", "^/[^?#]*[^?#/]$"},
	},

	"corsproc.v1.PolicyTests":           {{"required", []string{"policies", "tests"}}},
	"corsproc.v1.PolicyTests.tests":     {{"minItems", 1}},
	"corsproc.v1.PolicyTest":            {{"required", []string{"name", "fetch", "expect"}}},
	"corsproc.v1.TestFetch":             {{"required", []string{"origin", "url"}}},
	"corsproc.v1.TestFetch.credentials": {{"enum", []string{"omit", "same-origin", "include"}}},
}

// items are what a schema says of the elements of a list beyond their type.
var items = map[protoreflect.FullName]object{
	"corsproc.v1.PolicyList.names":      {{"pattern", name}},
	"corsproc.v1.Policy.allow_methods":  {{"pattern", token}},
	"corsproc.v1.Policy.allow_headers":  {{"pattern", fieldName}},
	"corsproc.v1.Policy.expose_headers": {{"pattern", fieldName}},
	"corsproc.v1.Policy.allow_origins":  {{"pattern", origin}},
	"corsproc.v1.Policy.deny_origins":   {{"pattern", origin}},
	"corsproc.v1.OriginList.origins":    {{"pattern", origin}},
}

// required returns an alternative for each of several fields that may be the one that is there.
func required(fields ...string) (alternatives []object) {
	for _, f := range fields {
		alternatives = append(alternatives, object{{"required", []string{f}}})
	}
	return alternatives
}
