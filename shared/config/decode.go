package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder walks YAML nodes and Go values side by side and collects every mistake.
type decoder struct {
	problems []Problem
	lines    map[string]int // dotted path → line
	env      map[string]string
}

// defaulter is met by list elements that have defaults of their own.
type defaulter interface{ SetDefaults() }

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
)

func (d *decoder) add(n *yaml.Node, path, message, hint string) {
	d.problems = append(d.problems, Problem{Line: n.Line, Field: path, Message: message, Hint: hint})
}

// line is where path stands, or the nearest parent that the file has.
func (d *decoder) line(path string) int {
	for {
		if l, ok := d.lines[path]; ok {
			return l
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return 0
		}
		path = path[:i]
	}
}

func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if path != "" {
		d.lines[path] = n.Line
	}
	if n.Tag == "!!null" {
		return // a key without a value keeps its default
	}
	switch {
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(n, v.Elem(), path)
	case v.Kind() == reflect.Struct && v.Type() != timeType:
		d.decodeStruct(n, v, path)
	case v.Kind() == reflect.Slice:
		d.decodeList(n, v, path)
	case v.Kind() == reflect.Array:
		d.decodeArray(n, v, path)
	case v.Kind() == reflect.Map:
		d.decodeMap(n, v, path)
	case n.Kind != yaml.ScalarNode:
		d.add(n, path, "is "+kindName(n)+", not "+typeName(v.Type()), "write it as "+d.leaf(path)+": "+example(v.Type()))
	default:
		text, err := d.expand(n.Value)
		if err == nil {
			err = setScalar(v, text)
		}
		if err != nil {
			d.add(n, path, err.Error(), "write it as "+d.leaf(path)+": "+example(v.Type()))
		}
	}
}

func (d *decoder) decodeStruct(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.add(n, path, "is "+kindName(n)+", not a group of settings", "put its settings below it, indented")
		return
	}
	fields := fieldsOf(v)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		known := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
		switch {
		case known < 0:
			d.add(key, at, "is not a setting", suggest(key.Value, fields))
		case seen[key.Value]:
			d.add(key, at, "stands twice", "keep one of them")
		default:
			seen[key.Value] = true
			d.decode(value, fields[known].value, at)
		}
	}
}

func (d *decoder) decodeList(n *yaml.Node, v reflect.Value, path string) {
	items := n.Content
	if n.Kind == yaml.ScalarNode { // one value serves as a list of one
		items = []*yaml.Node{n}
	} else if n.Kind != yaml.SequenceNode {
		d.add(n, path, "is "+kindName(n)+", not a list", "begin each element with \"- \"")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if e, ok := list.Index(i).Addr().Interface().(defaulter); ok {
			e.SetDefaults()
		}
		d.decode(item, list.Index(i), join(path, strconv.Itoa(i)))
	}
	v.Set(list)
}

// decodeArray is for lists of a fixed length, such as the coordinates of a place.
func (d *decoder) decodeArray(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode || len(n.Content) != v.Len() {
		d.add(n, path, fmt.Sprintf("is not a list of %d", v.Len()), "write it as "+d.leaf(path)+": ["+strings.TrimPrefix(strings.Repeat(", "+example(v.Type().Elem()), v.Len()), ", ")+"]")
		return
	}
	for i, item := range n.Content {
		d.decode(item, v.Index(i), join(path, strconv.Itoa(i)))
	}
}

func (d *decoder) decodeMap(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.add(n, path, "is "+kindName(n)+", not a group of names and values", "write name: value, indented")
		return
	}
	m := reflect.MakeMap(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := reflect.New(v.Type().Elem()).Elem()
		d.decode(n.Content[i+1], value, join(path, n.Content[i].Value))
		m.SetMapIndex(reflect.ValueOf(n.Content[i].Value), value)
	}
	v.Set(m)
}

// override applies CANVAS_<PATH> to every scalar that is not inside a list.
func (d *decoder) override(v reflect.Value, path string) {
	if v.Kind() == reflect.Struct && v.Type() != timeType {
		for _, f := range fieldsOf(v) {
			d.override(f.value, join(path, f.name))
		}
		return
	}
	name := "CANVAS_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
	text, ok := d.env[name]
	if !ok || path == "" {
		return
	}
	switch v.Kind() {
	case reflect.Map, reflect.Pointer:
		return
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.ValueOf(strings.Split(text, ",")).Convert(v.Type()))
		}
		return
	}
	if err := setScalar(v, text); err != nil {
		d.problems = append(d.problems, Problem{Field: path, Message: "environment variable " + name + " " + err.Error(), Hint: "write it as " + name + "=" + example(v.Type())})
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

func (d *decoder) expand(text string) (string, error) {
	var missing string
	out := variable.ReplaceAllStringFunc(text, func(ref string) string {
		m := variable.FindStringSubmatch(ref)
		if value, ok := d.env[m[1]]; ok {
			return value
		}
		if m[2] == "" {
			missing = m[1]
		}
		return m[3]
	})
	if missing != "" {
		return "", fmt.Errorf("names the environment variable %s, which is not set", missing)
	}
	return out, nil
}

func (d *decoder) leaf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
