package policyfile

// The codes of what the reading of files finds, as they stand in corsproc.v1.Finding. All of them are errors. The codes
// of what the engine finds are package policy's. Scripts rely on codes: they are never renamed.
const (
	CodeSyntax             = "syntax"              // not YAML, in a *.json file not JSON, or not UTF-8
	CodeFileTooLarge       = "file-too-large"      // above MaxFileBytes, maxEntries or maxCollections
	CodeDirectoryTooLarge  = "directory-too-large" // Content.TooLarge, or together above maxEntries
	CodeEmptyFile          = "empty-file"          // nothing but comments, or a document that is null; {} says nothing on purpose
	CodeMultipleDocuments  = "multiple-documents"  // a second YAML document
	CodeUnknownKey         = "unknown-key"         // a field that does not exist
	CodeDuplicateKey       = "duplicate-key"       // a key that stands twice in one mapping; related is the first
	CodeNullValue          = "null-value"          // null, ~ or nothing where a value is wanted
	CodeWrongType          = "wrong-type"          // text, number, boolean, list or mapping where another of them is wanted
	CodeAlias              = "alias"               // an anchor, an alias or a merge key
	CodeTag                = "tag"                 // an explicit YAML tag such as !!str
	CodeUnknownValue       = "unknown-value"       // not one of the values that the field knows
	CodeTestFile           = "test-file"           // a policy test file
	CodeKubernetesManifest = "kubernetes-manifest" // a ConfigMap, for instance
)
