// Command sbom writes the software bill of materials of a Go binary to standard output, in CycloneDX's JSON form: every
// module that is linked into it, with version, checksum, licence and what it depends on, and Go's own library.
//
// What it says comes from the binary itself; licences and the graph of modules are asked from the go command in the
// current folder. The same binary gives the same bytes: there is no time in it, and its serial number is a hash.
package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/licensecheck"
)

func main() {
	version := flag.String("version", "", "the version of the binary's own module, where the build did not record it")
	module := flag.String("module", ".", "the folder of the binary's own module")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: sbom [-version V] [-module FOLDER] BINARY")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *module, *version); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(binary, folder, version string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	if version != "" {
		info.Main.Version = version
	}
	b, err := bom(info, folder)
	if err != nil {
		return err
	}
	if b.SerialNumber, err = serial(b); err != nil {
		return err
	}
	return encode(os.Stdout, b)
}

// bom describes what is linked into a binary.
func bom(info *buildinfo.BuildInfo, folder string) (*cdx.BOM, error) {
	deps := slices.Clone(info.Deps)
	for i, m := range deps {
		if m.Replace != nil {
			deps[i] = m.Replace
		}
	}
	folders, err := folders(folder, deps)
	if err != nil {
		return nil, err
	}
	graph, err := graph(folder)
	if err != nil {
		return nil, err
	}
	own := component(&info.Main, cdx.ComponentTypeApplication)
	own.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
	std := component(&debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}, cdx.ComponentTypeLibrary)
	std.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "BSD-3-Clause"}}}

	refs := map[string]string{"std": std.BOMRef, info.Main.Path: own.BOMRef}
	components := []cdx.Component{std}
	for _, m := range deps {
		c := component(m, cdx.ComponentTypeLibrary)
		c.Licenses = licences(folders[m.Path])
		components = append(components, c)
		refs[m.Path] = c.BOMRef
	}
	var dependencies []cdx.Dependency
	for path, ref := range refs {
		on := []string{}
		if path != "std" {
			on = append(on, std.BOMRef)
		}
		for _, other := range graph[path] {
			if r, linked := refs[other]; linked && other != path {
				on = append(on, r)
			}
		}
		slices.Sort(on)
		on = slices.Compact(on)
		dependencies = append(dependencies, cdx.Dependency{Ref: ref, Dependencies: &on})
	}
	slices.SortFunc(dependencies, func(a, b cdx.Dependency) int { return strings.Compare(a.Ref, b.Ref) })

	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{Component: &own}
	b.Components = &components
	b.Dependencies = &dependencies
	return b, nil
}

func component(m *debug.Module, kind cdx.ComponentType) cdx.Component {
	purl := "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")
	c := cdx.Component{BOMRef: purl, Type: kind, Name: m.Path, Version: m.Version, PackageURL: purl}
	// The checksum of go.sum is a SHA-256 of the module's files.
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(sum) == sha256.Size {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	}
	return c
}

// folders returns where the go command keeps the modules.
func folders(folder string, modules []*debug.Module) (map[string]string, error) {
	args := []string{"list", "-m", "-f", "{{.Path}}\t{{.Dir}}"}
	for _, m := range modules {
		args = append(args, m.Path)
	}
	out, err := command(folder, args...)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(out) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		all[path] = dir
	}
	return all, nil
}

// graph returns which modules each module requires.
func graph(folder string) (map[string][]string, error) {
	out, err := command(folder, "mod", "graph")
	if err != nil {
		return nil, err
	}
	requires := map[string][]string{}
	for line := range strings.Lines(out) {
		from, to, _ := strings.Cut(strings.TrimSpace(line), " ")
		from, _, _ = strings.Cut(from, "@")
		to, _, _ = strings.Cut(to, "@")
		requires[from] = append(requires[from], to)
	}
	return requires, nil
}

func command(folder string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = folder
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, stderr.Bytes())
	}
	return string(out), nil
}

// licences returns the licences in the files of a module that are called so, nil if none is recognised.
func licences(dir string) *cdx.Licenses {
	var found cdx.Licenses
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "COPYING*"} {
		files, _ := fs.Glob(os.DirFS(dir), pattern)
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			for _, m := range licensecheck.Scan(text).Match {
				known := slices.ContainsFunc(found, func(c cdx.LicenseChoice) bool { return c.License.ID == m.ID })
				if !known && !m.IsURL {
					found = append(found, cdx.LicenseChoice{License: &cdx.License{ID: m.ID}})
				}
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &found
}

// serial makes a UUID of what the bill says.
func serial(b *cdx.BOM) (string, error) {
	var text bytes.Buffer
	if err := encode(&text, b); err != nil {
		return "", err
	}
	sum := sha256.Sum256(text.Bytes())
	id := sum[:16]
	id[6] = id[6]&0x0f | 0x80 // version 8: whoever made it knows how (RFC 9562)
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

func encode(w io.Writer, b *cdx.BOM) error {
	// The newest version is one that few tools read yet.
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(b, cdx.SpecVersion1_6)
}
