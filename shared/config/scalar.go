package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// field is one of a struct's, by the name of its setting.
type field struct {
	name  string
	value reflect.Value
	tag   reflect.StructTag
}

// fieldsOf are the fields of a struct; those of inline structs count as its own.
func fieldsOf(v reflect.Value) (fields []field) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case strings.Contains(options, "inline"):
			fields = append(fields, fieldsOf(v.Field(i))...)
		case name == "":
			fields = append(fields, field{strings.ToLower(f.Name), v.Field(i), f.Tag})
		default:
			fields = append(fields, field{name, v.Field(i), f.Tag})
		}
	}
	return fields
}

func setScalar(v reflect.Value, text string) error {
	wrong := func() error { return fmt.Errorf("is %q, not %s", text, typeName(v.Type())) }
	switch {
	case v.Type() == timeType:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return wrong()
		}
		v.Set(reflect.ValueOf(t))
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return wrong()
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return wrong()
		}
		v.SetBool(b)
	case v.CanInt():
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, v.Type().Bits())
		if err != nil {
			return wrong()
		}
		v.SetInt(n)
	case v.CanUint():
		n, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, v.Type().Bits())
		if err != nil {
			return wrong()
		}
		v.SetUint(n)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil {
			return wrong()
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("can't be set (%s)", v.Type())
	}
	return nil
}

func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration"
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

func example(t reflect.Type) string {
	switch {
	case t == timeType:
		return "2024-05-20T10:00:00Z"
	case t == durationType:
		return time.Duration(5 * time.Second).String()
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "true"
	case t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return "0.5"
	default:
		return "10"
	}
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of settings"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

// suggest names the nearest known setting, or all of them.
func suggest(name string, fields []field) string {
	var known []string
	for _, f := range fields {
		known = append(known, f.name)
	}
	slices.Sort(known)
	if best := Nearest(name, known); best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}

// Nearest is the known word that a mistyped one most likely means: at most three single-letter
// changes away, the first among equals. Empty if there is none.
func Nearest(word string, known []string) string {
	best, distance := "", 4
	for _, k := range known {
		if n := editDistance(word, k); n < distance {
			best, distance = k, n
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := above
			if a[i] != b[j] {
				cost++
			}
			above = row[j+1]
			row[j+1] = min(cost, above+1, row[j]+1)
		}
	}
	return row[len(b)]
}
