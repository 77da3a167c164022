package release

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/schemas"
)

// Each schema and its Go type describe the same fields.
func TestSchemasDescribeTheirTypes(t *testing.T) {
	for id, v := range map[string]any{
		manifestSchema: Manifest{}, installersSchema: Installers{}, deploymentSchema: Deployment{},
		evidence.ReleaseEvidence: Closing{}, VerdictSchema: Verdict{}, InspectionSchema: Inspection{},
	} {
		text, err := schemas.Lookup(id)
		if err != nil {
			t.Fatal(err)
		}
		var s map[string]any
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		if s["$id"] != id {
			t.Errorf("%s: $id is %v", id, s["$id"])
		}
		compareSchema(t, id, s, s, reflect.TypeOf(v))
	}
}

// compareSchema walks a schema beside a type.
func compareSchema(t *testing.T, at string, root, s map[string]any, typ reflect.Type) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	s = deref(root, s)
	switch typ.Kind() {
	case reflect.Slice:
		if s["type"] != "array" {
			t.Errorf("%s: schema type %v, Go type %s", at, s["type"], typ)
			return
		}
		compareSchema(t, at+"[]", root, s["items"].(map[string]any), typ.Elem())
	case reflect.Struct:
		compareStruct(t, at, root, s, typ)
	}
}

func deref(root, s map[string]any) map[string]any {
	if ref, ok := s["$ref"].(string); ok {
		return deref(root, root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any))
	}
	if options, ok := s["anyOf"].([]any); ok {
		return deref(root, options[0].(map[string]any))
	}
	return s
}

func compareStruct(t *testing.T, at string, root, s map[string]any, typ reflect.Type) {
	t.Helper()
	if s["additionalProperties"] != false {
		t.Errorf("%s: additional properties are allowed", at)
	}
	properties, _ := s["properties"].(map[string]any)
	var required []string
	for _, r := range s["required"].([]any) {
		required = append(required, r.(string))
	}
	var names []string
	for i := range typ.NumField() {
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
		if want := options != "omitempty"; slices.Contains(required, name) != want {
			t.Errorf("%s.%s: required %t, expected %t", at, name, !want, want)
		}
		if p, ok := properties[name].(map[string]any); ok {
			compareSchema(t, at+"."+name, root, p, typ.Field(i).Type)
		}
	}
	slices.Sort(names)
	if have := slices.Sorted(maps.Keys(properties)); !slices.Equal(have, names) {
		t.Errorf("%s: schema has %v, type has %v", at, have, names)
	}
}
