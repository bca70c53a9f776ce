//go:build unix

package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/envoy/internal/launch"
	"github.com/corsproc/corsproc/server/tlstest"
)

// pod is what of a pod says how corsproc runs in it.
type pod struct {
	Containers     []container `yaml:"containers"`
	InitContainers []container `yaml:"initContainers"`
	Grace          int         `yaml:"terminationGracePeriodSeconds"`
}

type container struct {
	Name  string
	Args  []string
	Ports []struct {
		Name          string
		ContainerPort string `yaml:"containerPort"`
	}
	StartupProbe   probe `yaml:"startupProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	LivenessProbe  probe `yaml:"livenessProbe"`
	Lifecycle      struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
	VolumeMounts []struct {
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// TestMeshPods runs the corsproc of every pod that the chart's golden files and the manifests for Kubernetes describe, with
// the arguments that stand there: only the places of files and the ports are this machine's.
func TestMeshPods(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "envoy/helm/testdata/golden/*.yaml"))
	if err != nil || len(paths) < 3 {
		t.Fatal(paths, err)
	}
	for _, path := range append(paths, filepath.Join(root, "envoy/kubernetes/sidecar.yaml")) {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			p, policies := readPod(t, path)
			runPod(t, p, policies)
		})
	}
}

// readPod returns the pod of a file of manifests, and the policy files of its ConfigMaps.
func readPod(t *testing.T, path string) (found *pod, policies map[string]string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Data     map[string]string
			Spec     struct{ Template struct{ Spec pod } }
		}
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch {
		case object.Kind == "ConfigMap" && strings.HasSuffix(object.Metadata.Name, "-policies"):
			policies = object.Data
		case object.Kind == "Deployment":
			found = &object.Spec.Template.Spec
		}
	}
	if found == nil {
		t.Fatal("no pod")
	}
	if policies == nil { // those of somebody else's ConfigMap or Secret
		policies = map[string]string{"policies.yaml": "default: {policies: [passthrough]}\n"}
	}
	return found, policies
}

func runPod(t *testing.T, p *pod, policies map[string]string) {
	t.Helper()
	for _, c := range append(p.Containers, p.InitContainers...) {
		if c.Name != "corsproc" {
			continue
		}
		args := c.checkDrain(t, p)
		dir := t.TempDir()
		for _, m := range c.VolumeMounts {
			mounted := filepath.Join(dir, m.MountPath)
			if err := os.MkdirAll(mounted, 0o755); err != nil {
				t.Fatal(err)
			}
			fill(t, mounted, policies)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], m.MountPath, mounted)
			}
		}
		ports := map[string]string{}
		for _, port := range c.Ports {
			ports[port.Name] = port.ContainerPort
		}
		for i := range args {
			for _, port := range ports {
				args[i] = strings.ReplaceAll(args[i], "listen=:"+port, "listen=:0")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		log := &syncBuffer{}
		s, err := launch.StartService(ctx, binary, args, log)
		if err != nil {
			t.Fatalf("%s: %v\n%s", args, err, log)
		}
		t.Cleanup(func() { s.Stop(syscall.SIGINT, time.Second) })
		for _, probe := range []probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
			if probe.HTTPGet.Port != "admin" || ports["admin"] == "" {
				t.Errorf("a probe asks port %s", probe.HTTPGet.Port)
			}
			response, err := http.Get("http://" + s.Admin + probe.HTTPGet.Path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", probe.HTTPGet.Path, response.Status)
			}
		}
		return
	}
	t.Error("there is no corsproc in it")
}

// fill puts files into a folder as Kubernetes mounts them: policies, a certificate, a CA, or nothing for a socket.
func fill(t *testing.T, folder string, policies map[string]string) {
	t.Helper()
	ca := tlstest.NewCA(t, "ca")
	switch filepath.Base(folder) {
	case "policies":
		for name, text := range policies {
			tlstest.WriteFile(t, folder, name, []byte(text))
		}
	case "tls":
		ca.Issue(tlstest.Leaf{Names: []string{"corsproc"}}).Write(t, folder, "tls")
	case "client-ca":
		for _, name := range []string{"ca.crt", "bundle.pem"} {
			tlstest.WriteFile(t, folder, name, ca.PEM)
		}
	}
}

// checkDrain holds the pod's grace period to be longer than what corsproc takes to end, and returns the arguments of
// serve.
func (c *container) checkDrain(t *testing.T, p *pod) []string {
	t.Helper()
	if len(c.Args) == 0 || c.Args[0] != "serve" {
		t.Fatalf("the arguments are %s", c.Args)
	}
	takes := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	for _, arg := range c.Args {
		name, value, _ := strings.Cut(arg, "=")
		if name == "--drain-delay" || name == "--drain-timeout" {
			d, err := time.ParseDuration(value)
			if err != nil {
				t.Fatal(err)
			}
			takes += d
		}
	}
	grace := time.Duration(p.Grace) * time.Second
	if grace == 0 {
		grace = 30 * time.Second // Kubernetes' default
	}
	if takes >= grace {
		t.Errorf("corsproc takes %s to end, and its pod has %s", takes, grace)
	}
	return slices.Clone(c.Args[1:])
}
