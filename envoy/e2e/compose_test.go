//go:build unix

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// compose is what docker-compose.yaml may hold; anything else in it is an error, so that nothing goes in untested.
type compose struct {
	Name     string `yaml:"name"`
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       map[string]string `yaml:"build"`
		Entrypoint  []string          `yaml:"entrypoint"`
		Command     []string          `yaml:"command"`
		User        string            `yaml:"user"`
		WorkingDir  string            `yaml:"working_dir"`
		Volumes     []string          `yaml:"volumes"`
		Ports       []string          `yaml:"ports"`
		NetworkMode string            `yaml:"network_mode"`
		ReadOnly    bool              `yaml:"read_only"`
		CapDrop     []string          `yaml:"cap_drop"`
		SecurityOpt []string          `yaml:"security_opt"`
		StopGrace   string            `yaml:"stop_grace_period"`
		DependsOn   map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
	} `yaml:"services"`
}

func readCompose(t *testing.T) (c compose) {
	t.Helper()
	if err := yaml.Load([]byte(read(t, "docker-compose.yaml")), &c, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestComposeEnvoy runs the command of the Envoy container: the configuration it makes is the reference, listening where
// a published port arrives, and Envoy takes it.
func TestComposeEnvoy(t *testing.T) {
	envoy, err := launch.FindEnvoy(root)
	need(t, err)
	service := readCompose(t).Services["envoy"]
	if diff := cmp.Diff([]string{"./envoy/envoy.yaml:/etc/envoy/envoy.yaml:ro"}, service.Volumes); diff != "" {
		t.Fatal(diff)
	}
	version := regexp.MustCompile(`(?m)^ENVOY_VERSION := (.+)$`).FindStringSubmatch(read(t, "Makefile"))
	if want := "envoyproxy/envoy:v" + version[1]; service.Image != want {
		t.Errorf("image %s, but everything else is tested with %s", service.Image, want)
	}

	// An "envoy" that prints its arguments stands for the container's.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "envoy"), []byte("#!/bin/sh\nprintf '%s\\0' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := strings.NewReplacer("$$", "$", "/etc/envoy/envoy.yaml", filepath.Join(root, "envoy", "envoy.yaml")).Replace(service.Command[0])
	cmd := exec.Command(service.Entrypoint[0], append(service.Entrypoint[1:], script)...)
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	config := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(config, []byte(args[len(args)-1]), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := bootstrap.Load(config)
	if err != nil {
		t.Fatal(err)
	}
	reference := load(t, "envoy.yaml")
	address := proto.CloneOf(reference.Listener.GetAddress())
	address.GetSocketAddress().Address = "0.0.0.0"
	reference.Listener.Address = address
	if !proto.Equal(reference.Bootstrap, made.Bootstrap) {
		t.Error("the container's configuration is not the reference listening on 0.0.0.0:8080")
	}
	if out, err := exec.Command(envoy, append(args, "--mode", "validate")...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestComposeService starts corsproc with the flags of its container.
func TestComposeService(t *testing.T) {
	service := readCompose(t).Services["corsproc"]
	if diff := cmp.Diff([]string{"./envoy/demo:" + service.WorkingDir + "/envoy/demo:ro"}, service.Volumes); diff != "" {
		t.Fatal(diff)
	}
	if service.Command[0] != "serve" {
		t.Fatalf("command %v", service.Command)
	}
	if got := flagValue(t, service.Command, "--listen"); got != "127.0.0.1:9002" {
		t.Errorf("--listen %s is not where envoy.yaml and the health check look", got)
	}
	var args []string
	for _, a := range service.Command[1:] {
		switch a {
		case "127.0.0.1:9002", ":9003":
			a = "127.0.0.1:0"
		case "envoy/demo/policies.yaml":
			a = filepath.Join(root, a)
		}
		args = append(args, a)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	log := &syncBuffer{}
	s, err := launch.StartService(ctx, binary, args, log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() { s.Stop(syscall.SIGINT, time.Second) })
	check := healthCheck(t)
	if check[0] != "/usr/bin/corsproc" || check[len(check)-1] != "127.0.0.1:9002" {
		t.Fatalf("HEALTHCHECK %v", check)
	}
	check[len(check)-1] = s.Listen
	if out, err := exec.Command(binary, check[1:]...).CombinedOutput(); err != nil {
		t.Errorf("the image's health check: %v\n%s", err, out)
	}
}

// healthCheck returns the command of the Dockerfile's HEALTHCHECK.
func healthCheck(t *testing.T) (args []string) {
	t.Helper()
	found := regexp.MustCompile(`(?m)^HEALTHCHECK .*CMD (\[.*\])$`).FindStringSubmatch(read(t, "Dockerfile"))
	if found == nil {
		t.Fatal("the Dockerfile has no HEALTHCHECK in exec form, the only one that needs no shell")
	}
	if err := yaml.Unmarshal([]byte(found[1]), &args); err != nil {
		t.Fatal(err)
	}
	return args
}

func flagValue(t *testing.T, args []string, flag string) string {
	t.Helper()
	for i, a := range args[:len(args)-1] {
		if a == flag {
			return args[i+1]
		}
	}
	t.Fatalf("no %s in %v", flag, args)
	return ""
}

// TestComposeSurroundings holds the rest: one network, published on the loopback only, images that the Dockerfile makes.
func TestComposeSurroundings(t *testing.T) {
	c := readCompose(t)
	if diff := cmp.Diff([]string{"127.0.0.1:8080:8080", "127.0.0.1:8081:8081", "127.0.0.1:9003:9003"}, c.Services["envoy"].Ports); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	dockerfile := read(t, "Dockerfile")
	for _, name := range []string{"corsproc", "demo"} {
		s := c.Services[name]
		if s.NetworkMode != "service:envoy" || len(s.Ports) > 0 {
			t.Errorf("%s: network_mode %q, ports %v", name, s.NetworkMode, s.Ports)
		}
		stage := regexp.MustCompile(`(?m)^FROM (\S+) AS ` + s.Build["target"] + `$`).FindStringSubmatch(dockerfile)
		if stage == nil || !regexp.MustCompile(`distroless/static.*:nonroot$`).MatchString(stage[1]) {
			t.Errorf("%s: build target %q is no distroless stage for nonroot: %v", name, s.Build["target"], stage)
		}
	}
	stages := regexp.MustCompile(`(?m)^FROM \S+ AS (\S+)$`).FindAllStringSubmatch(dockerfile, -1)
	if last := stages[len(stages)-1][1]; last != "corsproc" {
		t.Errorf("a plain docker build makes %s", last)
	}
	if condition := c.Services["demo"].DependsOn["corsproc"].Condition; condition != "service_healthy" {
		t.Errorf("the page comes up before corsproc answers: %q", condition)
	}
}
