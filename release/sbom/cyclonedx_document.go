package sbom

// The part of CycloneDX 1.6 that a document uses, field by field in the order in
// which it is written.
type bom struct {
	Schema       string           `json:"$schema"`
	Format       string           `json:"bomFormat"`
	SpecVersion  string           `json:"specVersion"`
	SerialNumber string           `json:"serialNumber"`
	Version      int              `json:"version"`
	Metadata     bomMetadata      `json:"metadata"`
	Components   []bomComponent   `json:"components"`
	References   []bomReference   `json:"externalReferences"`
	Dependencies []bomDependency  `json:"dependencies"`
	Compositions []bomComposition `json:"compositions"`
	Annotations  []bomAnnotation  `json:"annotations,omitempty"`
	Formulation  []bomFormula     `json:"formulation"`
}

type bomMetadata struct {
	Timestamp    string         `json:"timestamp"`
	Lifecycles   []bomLifecycle `json:"lifecycles"`
	Tools        bomTools       `json:"tools"`
	Manufacturer bomEntity      `json:"manufacturer"`
	Component    bomComponent   `json:"component"`
	Licenses     []bomLicense   `json:"licenses"`
	Properties   []bomProperty  `json:"properties"`
}

type bomLifecycle struct {
	Phase string `json:"phase"`
}

type bomTools struct {
	Components []bomTool `json:"components"`
}

type bomTool struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

type bomEntity struct {
	Name    string       `json:"name"`
	URL     []string     `json:"url,omitempty"`
	Contact []bomContact `json:"contact,omitempty"`
}

type bomContact struct {
	Email string `json:"email"`
}

type bomComponent struct {
	Type       string         `json:"type"`
	Ref        string         `json:"bom-ref"`
	Supplier   bomEntity      `json:"supplier"`
	Name       string         `json:"name"`
	Version    string         `json:"version"`
	Hashes     []bomHash      `json:"hashes,omitempty"`
	Licenses   []bomLicense   `json:"licenses,omitempty"`
	Copyright  string         `json:"copyright,omitempty"`
	PURL       string         `json:"purl"`
	Gitoids    []string       `json:"omniborId,omitempty"`
	References []bomReference `json:"externalReferences"`
	Evidence   *bomEvidence   `json:"evidence,omitempty"`
	Data       []bomData      `json:"data,omitempty"`
	Properties []bomProperty  `json:"properties"`
}

type bomHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// A bomLicense is an expression in a component and a license in the metadata.
type bomLicense struct {
	Expression      string        `json:"expression,omitempty"`
	Acknowledgement string        `json:"acknowledgement,omitempty"`
	License         *bomLicenseID `json:"license,omitempty"`
}

type bomLicenseID struct {
	ID string `json:"id"`
}

type bomEvidence struct {
	Occurrences []bomOccurrence `json:"occurrences,omitempty"`
	Licenses    []bomLicense    `json:"licenses,omitempty"`
}

type bomOccurrence struct {
	Location string `json:"location"`
}

type bomData struct {
	Type string `json:"type"`
}

type bomProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type bomReference struct {
	URL     string    `json:"url"`
	Comment string    `json:"comment,omitempty"`
	Type    string    `json:"type"`
	Hashes  []bomHash `json:"hashes,omitempty"`
}

type bomDependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

type bomComposition struct {
	Aggregate    string   `json:"aggregate"`
	Dependencies []string `json:"dependencies"`
}

// A bomAnnotation carries the text of a license, under whose name it can be found.
type bomAnnotation struct {
	Ref       string       `json:"bom-ref"`
	Subjects  []string     `json:"subjects"`
	Annotator bomAnnotator `json:"annotator"`
	Timestamp string       `json:"timestamp"`
	Text      string       `json:"text"`
}

type bomAnnotator struct {
	Component bomTool `json:"component"`
}

type bomFormula struct {
	Workflows []bomWorkflow `json:"workflows"`
}

type bomWorkflow struct {
	Ref       string        `json:"bom-ref"`
	UID       string        `json:"uid"`
	Resources []bomResource `json:"resourceReferences"`
	TaskTypes []string      `json:"taskTypes"`
	Inputs    []bomInput    `json:"inputs"`
	Outputs   []bomOutput   `json:"outputs"`
}

type bomResource struct {
	Ref string `json:"ref"`
}

type bomInput struct {
	Resource bomResource `json:"resource"`
}

type bomOutput struct {
	Type     string      `json:"type"`
	Resource bomResource `json:"resource"`
}
