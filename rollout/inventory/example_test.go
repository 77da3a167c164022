package inventory_test

import (
	"fmt"
	"strings"

	"github.com/rollproof/rollproof/rollout/inventory"
)

func ExampleRead() {
	export := `Serial Number,Last Inventory Update,rollproof sha256
C02EXAMPLE01,2026-11-20T08:15:00Z,4F1C0A9B2D3E5F604F1C0A9B2D3E5F604F1C0A9B2D3E5F604F1C0A9B2D3E5F60
C02EXAMPLE02,2026-11-19T22:40:31Z,
`
	list, err := inventory.Read(strings.NewReader(export), inventory.Options{Target: "jamf-darwin-arm64"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, newest %v\n%s", list.Format, list.Newest, list.JSONLines())
	// Output:
	// jamf, newest 2026-11-20 08:15:00 +0000 UTC
	// {"id":"C02EXAMPLE01","target":"jamf-darwin-arm64","sha256":"4f1c0a9b2d3e5f604f1c0a9b2d3e5f604f1c0a9b2d3e5f604f1c0a9b2d3e5f60","seen_at":"2026-11-20T08:15:00Z"}
	// {"id":"C02EXAMPLE02","target":"jamf-darwin-arm64","sha256":"","seen_at":"2026-11-19T22:40:31Z"}
}
