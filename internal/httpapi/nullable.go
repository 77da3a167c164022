package httpapi

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// describeNulls says of each object that can be null that it can: the library leaves
// that out of references.
func (a *api) describeNulls() {
	registry := a.huma.OpenAPI().Components.Schemas
	for name, schema := range registry.Map() {
		if t := registry.TypeFromRef("#/components/schemas/" + name); t != nil {
			describeFields(t, schema)
		}
	}
}

func describeFields(t reflect.Type, schema *huma.Schema) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := schema.Properties[name]
		if f.Type.Kind() != reflect.Pointer || strings.Contains(options, "omit") || property == nil || property.Ref == "" {
			continue
		}
		schema.Properties[name] = &huma.Schema{Description: property.Description, AnyOf: []*huma.Schema{{Ref: property.Ref}, {Type: "null"}}}
	}
}
