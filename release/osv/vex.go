package osv

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/envelope"
	"github.com/rollproof/rollproof/release/provenance"
)

// VEXContext is the context of an OpenVEX document (https://openvex.dev/ns/v0.2.0).
const VEXContext = "https://openvex.dev/ns/v0.2.0"

// ErrNothingToState is returned for a scan without findings: OpenVEX knows no document
// without statements.
var ErrNothingToState = errors.New("nothing was found, and an OpenVEX document needs a statement")

// A VEX is an OpenVEX document.
type VEX struct {
	Context    string         `json:"@context"`
	ID         string         `json:"@id"`
	Author     string         `json:"author"`
	Timestamp  string         `json:"timestamp"`
	Version    int            `json:"version"`
	Tooling    string         `json:"tooling"`
	Statements []VEXStatement `json:"statements"`
}

// A VEXStatement says what is known of one vulnerability in the binaries of a release.
type VEXStatement struct {
	Vulnerability VEXVulnerability `json:"vulnerability"`
	Products      []VEXProduct     `json:"products"`
	Status        string           `json:"status"`
	StatusNotes   string           `json:"status_notes"`
}

// A VEXVulnerability names a vulnerability.
type VEXVulnerability struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
}

// A VEXProduct is a binary by its hash, and the module in it.
type VEXProduct struct {
	Identifiers   VEXIdentifiers  `json:"identifiers"`
	Hashes        VEXHashes       `json:"hashes"`
	Subcomponents []VEXIdentified `json:"subcomponents"`
}

// A VEXIdentified is a component by its package URL.
type VEXIdentified struct {
	ID string `json:"@id"`
}

// VEXIdentifiers are a product's package URL.
type VEXIdentifiers struct {
	PURL string `json:"purl"`
}

// VEXHashes are a product's sha256 in hex.
type VEXHashes struct {
	SHA256 string `json:"sha-256"`
}

// VEX returns the report as an OpenVEX document by author, such as an e-mail address,
// issued at a time that is kept in whole seconds. Every finding is
// "under_investigation": a scan of modules can't say whether the vulnerable code is
// reached, and only a person can say that it is not. The id is the digest of the rest.
func (r *Report) VEX(author, tool string, now time.Time) (*VEX, error) {
	if len(r.Findings)+len(r.NotChecked) == 0 {
		return nil, ErrNothingToState
	}
	v := &VEX{Context: VEXContext, Author: author, Timestamp: stamp(now), Version: 1, Tooling: "rollproof " + tool}
	sums := map[string]string{}
	for _, b := range r.Binaries {
		sums[b.Path] = b.SHA256
	}
	for _, f := range r.Findings {
		note := fmt.Sprintf("%s %s is affected; whether its vulnerable code is reached was not looked at.", f.Module, f.Version)
		if f.Kind == KindToolchain {
			note = fmt.Sprintf("Built with %s, which is affected; the code of the toolchain is not in the binary.", f.Version)
		}
		if len(f.FixedIn) > 0 {
			note += " Fixed in " + strings.Join(f.FixedIn, ", ") + "."
		}
		v.Statements = append(v.Statements, VEXStatement{
			VEXVulnerability{f.ID, f.Summary, f.Aliases}, r.products(f.Binaries, f.Kind, f.Module, f.Version, sums), "under_investigation", note,
		})
	}
	for _, u := range r.NotChecked {
		v.Statements = append(v.Statements, VEXStatement{
			VEXVulnerability{u.ID, "", u.Aliases}, r.products(u.Binaries, u.Kind, u.Module, u.Version, sums), "under_investigation",
			fmt.Sprintf("Whether %s %s is affected could not be decided: %s.", u.Module, u.Version, u.Reason),
		})
	}
	body, err := envelope.Encode(v)
	if err != nil {
		return nil, err
	}
	v.ID = "https://openvex.dev/docs/public/vex-" + evidence.SHA256(body)
	return v, nil
}

func (r *Report) products(binaries []string, kind, module, version string, sums map[string]string) []VEXProduct {
	if kind == KindStdlib || kind == KindToolchain {
		version = strings.TrimPrefix(version, "go")
	}
	var list []VEXProduct
	for _, b := range binaries {
		list = append(list, VEXProduct{
			VEXIdentifiers{provenance.ModuleURI(r.Release.Module, r.Release.Version)}, VEXHashes{sums[b]},
			[]VEXIdentified{{provenance.ModuleURI(module, version)}},
		})
	}
	return list
}
