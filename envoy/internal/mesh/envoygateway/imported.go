package main

// Tested by envoy/e2e/importgateways_test.go.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/envoy/internal/mesh"
)

// importedWorld stands around the fixtures of corsproc import.
const importedWorld = "envoy/internal/mesh/world/imported.yaml"

// writeImported writes down which routes Envoy Gateway makes of the fixtures of corsproc import: what TestMeshImported
// holds the import against. only: of these fixtures; nil: of all.
func writeImported(root string, translator, only []string) error {
	world, err := os.ReadFile(filepath.Join(root, importedWorld))
	if err != nil {
		return err
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	for _, kind := range mesh.ImportedKinds {
		files, err := filepath.Glob(filepath.Join(root, mesh.Fixtures, kind, "*.yaml"))
		if err != nil {
			return err
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".yaml")
			if slices.Contains(mesh.Untranslated, kind+"/"+name) || only != nil && !slices.Contains(only, kind+"/"+name) {
				continue
			}
			fixture, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			answer, err := ask(translator, [][]byte{world, certificate, fixture}, "--to", "xds", "-t", "route")
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			data, err := yaml.Marshal(routeConfigs(answer))
			if err != nil {
				return err
			}
			const head = "# The routes that Envoy Gateway makes of the fixture of this name. Written by make mesh-golden.\n"
			folder := filepath.Join(root, mesh.Imported, kind)
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, name+".yaml"), append([]byte(head), data...), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// routeConfigs returns the route configurations by gateway and name, without what says nothing about which requests are
// answered how.
func routeConfigs(answer map[string]any) map[string]any {
	all := map[string]any{}
	gateways, _ := answer["xds"].(map[string]any)
	for _, gateway := range slices.Sorted(maps.Keys(gateways)) {
		walk(gateways[gateway], func(m map[string]any) {
			delete(m, "metadata")
			delete(m, "upgradeConfigs")
			if m["match"] != nil {
				delete(m, "name") // of a route: long, and not asked for
			}
		})
		dump, _ := gateways[gateway].(map[string]any)
		configs, _ := dump["dynamicRouteConfigs"].([]any)
		for i, c := range configs {
			config := c.(map[string]any)["routeConfig"].(map[string]any)
			delete(config, "@type")
			all[fmt.Sprintf("%s/%d", gateway, i)] = config
		}
	}
	return all
}

// selfSigned returns a Secret with a certificate, for listeners of HTTPS.
func selfSigned() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.com"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	encode := func(kind string, data []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	return fmt.Appendf(nil, "apiVersion: v1\nkind: Secret\nmetadata: { name: web, namespace: shop }\ntype: kubernetes.io/tls\ndata: { tls.crt: %s, tls.key: %s }\n",
		encode("CERTIFICATE", der), encode("PRIVATE KEY", private)), nil
}
