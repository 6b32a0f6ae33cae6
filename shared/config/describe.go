package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// Setting is one key of a configuration as the tags of its field describe it:
//
//	Window int `yaml:"window" desc:"messages in flight" range:"1..1024"`
//
// desc is for people; NAME.md in it is a page of docs/. range and enum are what it may be: Limits.
// default says in words what holds where a field's empty value stands for something else. required
// names the key, or the key inside the group, that a person must give; omit names those inside the
// group that mean nothing there.
type Setting struct {
	Name     string
	Desc     string
	Words    string        // its default in words
	Default  reflect.Value // its default; of what lies in a list or map, that of a new element
	Required bool
	Settings []Setting // those inside: of a group, or of each element of a list or map of groups
	limits   limits
}

// Describe lists the settings of defaults, a pointer to a struct, in the order of its fields.
func Describe(defaults any) []Setting { return describe(reflect.ValueOf(defaults).Elem(), "") }

// describe lists the settings of a group, whose field has the tag of.
func describe(v reflect.Value, of reflect.StructTag) (all []Setting) {
	for _, f := range fieldsOf(v) {
		tag := f.tag.Get
		if slices.Contains(strings.Fields(of.Get("omit")), f.name) {
			continue
		}
		s := Setting{Name: f.name, Desc: tag("desc"), Words: tag("default"), Default: f.value, limits: limitsOf(f.tag, f.value.Type())}
		s.Required = (f.name == of.Get("required") || f.name == tag("required")) && f.value.IsZero()
		switch t := f.value.Type(); {
		case isGroup(t):
			s.Settings = describe(f.value, f.tag)
		case isList(t), t.Kind() == reflect.Map:
			element := reflect.New(t.Elem())
			if e, ok := element.Interface().(defaulter); ok {
				e.SetDefaults()
			}
			if isGroup(t.Elem()) {
				s.Settings = describe(element.Elem(), "")
			}
		}
		all = append(all, s)
	}
	return all
}

// Text is what a person reads of it: what it is, what it may be, and its default where words say it.
func (s Setting) Text() string {
	words := s.Words
	if words != "" {
		words = "default: " + words
	}
	if may := strings.Trim(s.limits.String()+"; "+words, "; "); may != "" {
		return s.Desc + " (" + may + ")"
	}
	return s.Desc
}

// May is what its value may be; empty: what its type allows.
func (s Setting) May() string { return s.limits.String() }

// Edges are values at the ends of its range and beside them, and whether each is within.
func (s Setting) Edges() map[string]bool { return s.limits.edges(s.Default.Type()) }

// DefaultText is what holds where the setting is left out; empty: nothing.
func (s Setting) DefaultText() string {
	if s.Words != "" || s.Group() || s.unset() {
		return s.Words
	}
	return valueText(s.Default)
}

// Size is DefaultText of bytes in larger units.
func (s Setting) Size() string {
	if s.Words != "" {
		return ""
	}
	return sizeText(s.Name, s.Default)
}

// Group says that it holds settings, List that it is a list, and Map that it is a map by names.
func (s Setting) Group() bool { return isGroup(s.Default.Type()) }
func (s Setting) List() bool  { return isList(s.Default.Type()) }
func (s Setting) Map() bool   { return s.Default.Kind() == reflect.Map }

// unset says that the default is no value that could be written.
func (s Setting) unset() bool {
	switch s.Default.Kind() {
	case reflect.String, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Struct:
		return s.Default.IsZero()
	}
	return false
}

func isGroup(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != timeType }
func isList(t reflect.Type) bool  { return t.Kind() == reflect.Slice }

// valueText is a value as YAML has it on one line.
func valueText(v reflect.Value) string {
	if isList(v.Type()) {
		elements := make([]string, v.Len())
		for i := range elements {
			elements[i] = valueText(v.Index(i))
		}
		return "[" + strings.Join(elements, ", ") + "]"
	}
	if isGroup(v.Type()) {
		var parts []string
		for _, f := range fieldsOf(v) {
			if !f.value.IsZero() {
				parts = append(parts, f.name+": "+valueText(f.value))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return durationText(d)
	}
	return scalarText(v.Interface())
}
