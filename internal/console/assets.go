package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// An asset is a file that pages load. Its address holds a part of its digest, so that
// browsers keep it for ever and never use an old one.
type asset struct {
	data []byte
	kind string // media type
}

// assets are by address; addresses by file name.
type assets struct {
	byAddress map[string]asset
	addresses map[string]string
}

func loadAssets() (assets, error) {
	a := assets{map[string]asset{}, map[string]string{}}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return a, err
	}
	for _, e := range entries {
		data, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return a, err
		}
		sum := sha256.Sum256(data)
		address := "/assets/" + hex.EncodeToString(sum[:6]) + "/" + e.Name()
		a.byAddress[address] = asset{data, mime.TypeByExtension(path.Ext(e.Name()))}
		a.addresses[e.Name()] = address
	}
	return a, nil
}

// address is called by templates; a name that is not there is a mistake in a page.
func (a assets) address(name string) (string, error) {
	if address, ok := a.addresses[name]; ok {
		return address, nil
	}
	return "", fmt.Errorf("there is no asset %s", name)
}

func (c *Console) asset(w http.ResponseWriter, r *http.Request) {
	file, ok := c.assets.byAddress[r.URL.Path]
	if !ok {
		c.Refused(w, r, http.StatusNotFound, "")
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.data))
}
