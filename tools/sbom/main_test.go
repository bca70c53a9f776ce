package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestBill makes the bill of this test's binary, which knows what is linked into it.
func TestBill(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info.Main.Version = "v1.2.3+dirty"
	var texts [2]bytes.Buffer
	for i := range texts {
		b, err := bom(info, ".")
		if err != nil {
			t.Fatal(err)
		}
		if b.SerialNumber, err = serial(b); err != nil {
			t.Fatal(err)
		}
		if err := encode(&texts[i], b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(texts[0].Bytes(), texts[1].Bytes()) {
		t.Error("two bills of one binary differ")
	}

	var b cdx.BOM
	if err := cdx.NewBOMDecoder(&texts[0], cdx.BOMFileFormatJSON).Decode(&b); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(b.SerialNumber) {
		t.Errorf("serial number %q", b.SerialNumber)
	}
	if own := b.Metadata.Component; own.PackageURL != "pkg:golang/github.com/corsproc/corsproc/tools@v1.2.3%2Bdirty" {
		t.Errorf("the component itself is %v", own)
	}
	if len(*b.Components) != len(info.Deps)+1 {
		t.Errorf("%d components, want %d and Go's own library", len(*b.Components), len(info.Deps))
	}
	for name, licence := range map[string]string{"std": "BSD-3-Clause", "github.com/CycloneDX/cyclonedx-go": "Apache-2.0"} {
		i := slices.IndexFunc(*b.Components, func(c cdx.Component) bool { return c.Name == name })
		if i < 0 {
			t.Fatalf("%s is missing", name)
		}
		c := (*b.Components)[i]
		if c.Licenses == nil || (*c.Licenses)[0].License.ID != licence {
			t.Errorf("%s: licences %v", name, c.Licenses)
		}
		if name != "std" && (c.Hashes == nil || len((*c.Hashes)[0].Value) != 64) {
			t.Errorf("%s: hashes %v", name, c.Hashes)
		}
	}
	own := (*b.Dependencies)[slices.IndexFunc(*b.Dependencies, func(d cdx.Dependency) bool { return d.Ref == b.Metadata.Component.BOMRef })]
	if !slices.ContainsFunc(*own.Dependencies, func(ref string) bool { return strings.HasPrefix(ref, "pkg:golang/github.com/CycloneDX/cyclonedx-go@") }) {
		t.Errorf("depends on %v", *own.Dependencies)
	}
}
