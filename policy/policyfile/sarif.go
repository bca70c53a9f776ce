package policyfile

// Tested by formats_test.go.

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/printable"
)

// The part of SARIF 2.1.0 that findings need (OASIS, Static Analysis Results Interchange Format).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string             `json:"id"`
		ShortDescription     sarifText          `json:"shortDescription"`
		Help                 sarifText          `json:"help"`
		DefaultConfiguration sarifConfiguration `json:"defaultConfiguration"`
	}
	sarifConfiguration struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifResult struct {
		RuleID           string          `json:"ruleId"`
		RuleIndex        int             `json:"ruleIndex"`
		Level            string          `json:"level"`
		Message          sarifText       `json:"message"`
		Locations        []sarifLocation `json:"locations"`
		RelatedLocations []sarifLocation `json:"relatedLocations,omitempty"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysical  `json:"physicalLocation"`
		LogicalLocations []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int32 `json:"startLine"`
		StartColumn int32 `json:"startColumn"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
)

// WriteSARIF writes the findings as a SARIF 2.1.0 log with one run. The rules are those entries of the catalogue that the
// findings are about; version is that of the program, and may be empty.
func WriteSARIF(w io.Writer, findings []finding.Diagnostic, version string) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "corsproc", Version: version, InformationURI: "https://github.com/corsproc/corsproc", Rules: []sarifRule{},
		}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	index := map[finding.Code]int{}
	for _, f := range findings {
		i, ok := index[f.Code]
		if !ok {
			i = len(index)
			index[f.Code] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(f))
		}
		result := sarifResult{
			RuleID: string(f.Code), RuleIndex: i, Level: sarifLevel(f.Severity), Message: sarifText{Text: sentence(f)},
			Locations: []sarifLocation{sarifPlace(f.Position)},
		}
		if r := f.Related; r != nil {
			result.RelatedLocations = []sarifLocation{sarifPlace(*r)}
		}
		run.Results = append(run.Results, result)
	}
	encoder := json.NewEncoder(printable.JSONWriter{W: w})
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

func sarifRuleOf(f finding.Diagnostic) sarifRule {
	rule := sarifRule{ID: string(f.Code), DefaultConfiguration: sarifConfiguration{sarifLevel(f.Severity)}}
	e := Explain(f.Code)
	rule.ShortDescription.Text = e.Explanation
	rule.Help.Text = e.Explanation
	if e.Bad != "" {
		rule.Help.Text += "\n\nWrong:\n\n" + e.Bad + "\nRight:\n\n" + e.Good
		rule.Help.Markdown = e.Explanation + "\n\n```yaml\n" + e.Bad + "```\n\nRight:\n\n```yaml\n" + e.Good + "```\n"
	}
	return rule
}

func sarifLevel(severity finding.Severity) string {
	if severity == finding.Hint {
		return "note"
	}
	return severity.String()
}

func sarifPlace(at finding.Position) sarifLocation {
	uri := url.URL{Path: filepath.ToSlash(at.File)}
	if filepath.IsAbs(at.File) {
		uri.Scheme = "file"
	}
	place := sarifLocation{PhysicalLocation: sarifPhysical{sarifArtifact{uri.String()}, sarifRegion{at.Line, at.Column}}}
	if at.Field != "" {
		place.LogicalLocations = []sarifLogical{{at.Field}}
	}
	return place
}
