package config

import (
	"encoding/json"
	"reflect"
	"time"
)

// object is a JSON Schema, or a part of one.
type object = map[string]any

// variablePattern is in a value that holds ${VAR}: what it will be is not known to an editor.
const variablePattern = `\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`

// scalars are what a value may be written as, which is more than YAML's own type: 64, "64" and ${N}
// are one number here. null leaves the default.
var scalars = object{
	"variable": object{"type": "string", "pattern": variablePattern},
	"text":     object{"type": []string{"string", "number", "boolean", "null"}},
	"boolean":  oneOrText(object{"type": []string{"boolean", "null"}}, `^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$`),
	"whole":    oneOrText(object{"type": []string{"integer", "null"}}, `^[-+]?[0-9][0-9_]*$`),
	"number":   oneOrText(object{"type": []string{"number", "null"}}, `^[-+]?([0-9]|\.[0-9])[0-9.eE+-]*$`),
	"duration": oneOrText(object{"enum": []any{nil, 0}}, `^[-+]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$`),
	"time":     oneOrText(object{"type": "null"}, `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[-+][0-9:]+)$`),
}

func oneOrText(one object, pattern string) object {
	return object{"anyOf": []object{one, {"type": "string", "pattern": pattern + "|" + variablePattern}}}
}

// Schema is a JSON Schema (draft 2020-12) of a file of settings, for editors that complete and
// check YAML as it is written. What takes two settings to see is left to check.
func Schema(title string, settings []Setting) []byte {
	s := group(settings)
	s["$schema"], s["title"], s["$defs"] = "https://json-schema.org/draft/2020-12/schema", title, scalars
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		panic(err) // of plain values there is none
	}
	return append(text, '\n')
}

func group(settings []Setting) object {
	properties := object{}
	for _, s := range settings {
		properties[s.Name] = s.schema()
	}
	return object{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
}

func (s Setting) schema() object {
	var schema object
	switch {
	case s.Group():
		schema = group(s.Settings)
	case s.Settings != nil && s.Map():
		schema = object{"type": []string{"object", "null"}, "additionalProperties": group(s.Settings)}
	case s.Settings != nil:
		schema = object{"type": []string{"array", "null"}, "items": group(s.Settings)}
	default:
		schema = valueSchema(s.Default.Type())
		s.limits.schema(schema, s.Default.Type())
		if !s.unset() && s.Words == "" {
			schema["default"] = s.Default.Interface()
			if d, ok := s.Default.Interface().(time.Duration); ok {
				schema["default"] = durationText(d)
			}
		}
	}
	schema["description"] = s.Text()
	return schema
}

// valueSchema is the schema of a value, or of a list of values, for which one alone serves too.
func valueSchema(t reflect.Type) object {
	switch {
	case t.Kind() == reflect.Pointer:
		return valueSchema(t.Elem())
	case isList(t):
		element := valueSchema(t.Elem())
		return object{"anyOf": []object{{"type": []string{"array", "null"}, "items": element}, element}}
	case t == durationType:
		return object{"$ref": "#/$defs/duration"}
	case t == timeType:
		return object{"$ref": "#/$defs/time"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"$ref": "#/$defs/boolean"}
	case reflect.String:
		return object{"$ref": "#/$defs/text"}
	case reflect.Float32, reflect.Float64:
		return object{"$ref": "#/$defs/number"}
	}
	return object{"$ref": "#/$defs/whole"}
}

// schema adds what JSON Schema can say of the limits: durations are texts there.
func (l limits) schema(schema object, t reflect.Type) {
	switch {
	case len(l.enum) > 0:
		delete(schema, "$ref")
		schema["anyOf"] = []object{{"enum": append([]any{nil}, words(l.enum)...)}, {"$ref": "#/$defs/variable"}}
	case l.ranged && t != durationType:
		bounds := object{"minimum": l.min}
		if l.most != "" {
			bounds["maximum"] = l.max
		}
		if l.zero {
			schema["anyOf"] = []object{{"const": 0}, bounds}
			return
		}
		for k, v := range bounds {
			schema[k] = v
		}
	}
}

func words(texts []string) (all []any) {
	for _, t := range texts {
		all = append(all, t)
	}
	return all
}
