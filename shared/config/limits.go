package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// limits are what a value may be. A range is written "1..9", "1.." or "0 or 5..9", in durations
// where the setting is one, and else with KiB, MiB, GiB or TiB behind sizes; an enum "one, other".
type limits struct {
	ranged, zero bool // zero is allowed beside the range
	least, most  string
	min, max     float64
	enum         []string
}

func limitsOf(tag reflect.StructTag, t reflect.Type) (l limits) {
	if enum := tag.Get("enum"); enum != "" {
		l.enum = strings.Split(enum, ", ")
	}
	text := tag.Get("range")
	if text == "" {
		return l
	}
	l.ranged = true
	text, l.zero = strings.CutPrefix(text, "0 or ")
	l.least, l.most, _ = strings.Cut(text, "..")
	l.min, l.max = amount(l.least, t), amount(l.most, t)
	return l
}

var units = []struct {
	name string
	size float64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// amount is a bound as a number. Tags are constants: a wrong one is a mistake in the program.
func amount(text string, t reflect.Type) float64 {
	if text == "" {
		return 0
	}
	if t == durationType {
		d, err := time.ParseDuration(text)
		if err != nil {
			panic(err)
		}
		return float64(d)
	}
	size := 1.0
	for _, u := range units {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			text, size = number, u.size
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return n * size
}

func (l limits) String() string {
	switch {
	case len(l.enum) > 0:
		return strings.Join(l.enum[:len(l.enum)-1], ", ") + " or " + l.enum[len(l.enum)-1]
	case !l.ranged, l.most == "" && l.min == 0: // what is not negative needs no word
		return ""
	}
	text := "at least " + l.least
	if l.most != "" {
		text = l.least + " to " + l.most
	}
	for _, u := range units {
		text = strings.ReplaceAll(text, u.name, " "+u.name)
	}
	if l.zero {
		return "0, or " + text
	}
	return text
}

// edges are the ends of the range and values just beside them, as YAML has them.
func (l limits) edges(t reflect.Type) map[string]bool {
	if !l.ranged {
		return nil
	}
	step := 1.0
	if t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64 || t.Kind() == reflect.Pointer {
		step = 1.0 / 1024
	}
	edges := map[string]bool{}
	for _, v := range []float64{l.min, l.min - step, l.max, l.max + step, 0} {
		if l.most == "" && v == l.max {
			continue
		}
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if t == durationType {
			text = time.Duration(v).String()
		}
		edges[text] = l.allow(v)
	}
	return edges
}

func (l limits) allow(v float64) bool {
	return !l.ranged || l.zero && v == 0 || v >= l.min && (l.most == "" || v <= l.max) && !math.IsInf(v, 0)
}

// Limits holds c, a struct, to the ranges and enums of its fields, and of the groups inside it that
// have no Problems of their own. defaults, of the same type, are what a person is advised to take.
func Limits(c, defaults any, add func(field, message, hint string)) {
	checkLimits(reflect.ValueOf(c), reflect.ValueOf(defaults), "", add)
}

func checkLimits(v, defaults reflect.Value, path string, add func(field, message, hint string)) {
	others := fieldsOf(defaults)
	for i, f := range fieldsOf(v) {
		at, value, l := join(path, f.name), f.value, limitsOf(f.tag, f.value.Type())
		if isGroup(value.Type()) {
			if _, own := value.Type().MethodByName("Problems"); !own {
				checkLimits(value, others[i].value, at, add)
			}
			continue
		}
		if value.Kind() == reflect.Pointer && !value.IsNil() {
			value = value.Elem()
		}
		good := true
		switch {
		case value.CanInt():
			good = l.allow(float64(value.Int()))
		case value.CanFloat():
			good = l.allow(value.Float())
		case value.Kind() == reflect.String && len(l.enum) > 0:
			good = slices.Contains(l.enum, value.String()) || value.Len() == 0 && others[i].value.Len() == 0
		}
		if !good {
			is := valueText(value)
			if value.Kind() == reflect.String {
				is = strconv.Quote(value.String())
			}
			add(at, fmt.Sprintf("is %s, must be %s", is, cmp.Or(l.String(), "at least 0")), f.tag.Get("desc")+"; "+advice(f.name, others[i].value))
		}
	}
}

func advice(name string, v reflect.Value) string {
	if v.IsZero() {
		return "leave it out if in doubt"
	}
	if size := sizeText(name, v); size != "" {
		return valueText(v) + " (" + size + ") suits most"
	}
	return valueText(v) + " suits most"
}

// sizeText is what a number of bytes is in larger units; empty: it is none, or of no such setting.
func sizeText(name string, v reflect.Value) string {
	if !v.CanInt() || !strings.Contains(name, "bytes") {
		return ""
	}
	for _, u := range units {
		if n := float64(v.Int()) / u.size; n >= 1 && n == float64(int64(n)) {
			return fmt.Sprintf("%g %s", n, u.name)
		}
	}
	return ""
}

// durationText writes 2m for 2m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// scalarText is a scalar as YAML writes it.
func scalarText(v any) string {
	text, err := yaml.Marshal(v)
	if err != nil {
		panic(err) // of plain values there is none
	}
	return strings.TrimSpace(string(text))
}
