package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/rollproof/rollproof/evidence/checkpoint"
	"github.com/rollproof/rollproof/internal/access"
)

type nothing struct{}

type tile struct {
	Path string `path:"path" maxLength:"200" doc:"as C2SP tlog-tiles has it behind tile/, such as 0/x001/067 or entries/000.p/17"`
}

const tilePath = "/log/tile/{path...}"

func (a *api) logRoutes() {
	register(a, route{method: "GET", path: "/log", id: "showLog", summary: "the store as a transparency log", scope: access.Read},
		func(ctx context.Context, _ *nothing) (checkpoint.Document, error) { return a.of(ctx).Log(ctx) })
	stream(a, route{method: "GET", path: "/log/checkpoint", id: "getCheckpoint", summary: "the newest checkpoint, a C2SP signed note", scope: access.Read}, "text/plain",
		func(ctx context.Context, _ *nothing) (func(http.ResponseWriter, *http.Request), error) {
			doc, err := a.of(ctx).Log(ctx)
			if err == nil && doc.Checkpoint == "" {
				err = checkpoint.ErrNone
			}
			return sendBytes([]byte(doc.Checkpoint), "text/plain; charset=utf-8"), err
		})
	stream(a, route{method: "GET", path: tilePath, id: "getTile", summary: "a tile of the newest checkpoint's tree (C2SP tlog-tiles)", scope: access.Read}, "application/octet-stream",
		func(ctx context.Context, in *tile) (func(http.ResponseWriter, *http.Request), error) {
			data, err := a.of(ctx).Tile(ctx, "tile/"+in.Path)
			return sendBytes(data, "application/octet-stream"), err
		})
	register(a, route{method: "GET", path: "/evidence/{id}/proof", id: "proveRecord", summary: "the proof that a record is in the newest checkpoint's tree", scope: access.Read},
		func(ctx context.Context, in *Named) (checkpoint.ProofDocument, error) {
			return a.of(ctx).Prove(ctx, in.ID)
		})
	a.eventRoutes()
}

// describeTiles calls the path of tiles as OpenAPI calls one: it knows no parameter that
// has slashes in it.
func (a *api) describeTiles() {
	paths := a.huma.OpenAPI().Paths
	own := prefix + tilePath
	paths[strings.Replace(own, "...", "", 1)] = paths[own]
	delete(paths, own)
}
