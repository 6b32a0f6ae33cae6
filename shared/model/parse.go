package model

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"cloudcanvas/shared/config"
)

// maxManifest bounds model.yaml; the largest known label lists take 300 KB.
const maxManifest = 1 << 20

// Parse reads model.yaml strictly: unknown and doubled fields are mistakes. All mistakes come at
// once, each as "file:line: field: what; hint".
func Parse(file string, data []byte) (Manifest, error) { return parse(file, data, "") }

// parse is Parse for a manifest that may leave its name to where it lies.
func parse(file string, data []byte, name string) (Manifest, error) {
	var m Manifest
	if len(data) > maxManifest {
		return m, fmt.Errorf("%s: is over %d bytes; is it a model.yaml?", file, maxManifest)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return m, fmt.Errorf("%s: is not YAML: %w", file, err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return m, fmt.Errorf("%s:1: is empty or no mapping; see docs/models.md for an example", file)
	}
	var mistakes []error
	lines := map[string]int{}
	walk(doc.Content[0], reflect.TypeFor[Manifest](), "", lines, func(line int, message string) {
		mistakes = append(mistakes, fmt.Errorf("%s:%d: %s", file, line, message))
	})
	if err := doc.Decode(&m); err != nil {
		var kinds *yaml.TypeError
		if !errors.As(err, &kinds) {
			return m, fmt.Errorf("%s: %w", file, err)
		}
		for _, e := range kinds.Errors {
			mistakes = append(mistakes, fmt.Errorf("%s: %s", file, e))
		}
	}
	if m.Name == "" {
		m.Name = name
	}
	m = m.withDefaults()
	if len(mistakes) == 0 {
		m.Problems(func(field, message, hint string) {
			mistakes = append(mistakes, fmt.Errorf("%s:%d: %s %s; %s", file, lineOf(lines, field), field, message, hint))
		})
	}
	return m, errors.Join(mistakes...)
}

// walk remembers each field's line and tells fields that the struct does not have.
func walk(node *yaml.Node, t reflect.Type, path string, lines map[string]int, tell func(line int, message string)) {
	if node.Kind != yaml.MappingNode || t.Kind() != reflect.Struct {
		return
	}
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			fields[tag] = t.Field(i).Type
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		full := strings.TrimPrefix(path+"."+key.Value, ".")
		field, known := fields[key.Value]
		switch {
		case !known:
			tell(key.Line, fmt.Sprintf("unknown field %q%s", full, suggest(key.Value, fields)))
		case seen[key.Value]:
			tell(key.Line, fmt.Sprintf("field %q is given twice", full))
		default:
			lines[full] = key.Line
			walk(value, field, full, lines, tell)
		}
		seen[key.Value] = true
	}
}

// lineOf is the line of the field, or of the nearest field around it.
func lineOf(lines map[string]int, field string) int {
	for field != "" {
		if n, ok := lines[field]; ok {
			return n
		}
		cut := strings.LastIndexByte(field, '.')
		field = field[:max(cut, 0)]
	}
	return 1
}

func suggest(word string, fields map[string]reflect.Type) string {
	best := config.Nearest(word, slices.Sorted(maps.Keys(fields)))
	if best == "" {
		return "; docs/models.md lists the fields"
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
