package main

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/cloud/lineage"
	"cloudcanvas/cloud/mosaic"
	"cloudcanvas/shared/visible"
)

// fill puts a text wherever a value has room for one, and something everywhere else.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(3)
	case reflect.Uint64, reflect.Uint8, reflect.Uint32:
		v.SetUint(3)
	case reflect.Float64, reflect.Float32:
		v.SetFloat(1.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(text))
			return
		}
		fill(v.Index(0), text)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, text)
		fill(value, text)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Now().Add(-48 * time.Hour)))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), text)
			}
		}
	}
}

func filled[T any](text string) (v T) {
	fill(reflect.ValueOf(&v).Elem(), text)
	return v
}

const hostile = "\x1b[2J\x1b]0;PWN\x07x\nEDGE  fake\trow\u202e\u2066\u200b\u009b\xff\xed\xa0\x80\u0301\u0301\u0301"

func TestNoCommandPrintsWhatWouldForgeATable(t *testing.T) {
	for name, print := range map[string]func(out io.Writer, text string) error{
		"status": func(out io.Writer, text string) error {
			s := filled[status](text)
			for _, role := range []string{"worker", "bridge", "mosaic"} {
				s.Members[role] = s.Members[text]
			}
			s.Owners["bridge-3"] = s.Owners[text]
			return s.print(out)
		},
		"top": func(out io.Writer, text string) error {
			l := look{status: filled[status](text), at: time.Now()}
			l.Members["worker"] = l.Members[text]
			_, err := io.WriteString(out, l.text(look{status: l.status}))
			return err
		},
		"models edges": func(out io.Writer, text string) error { filled[edgeModels](text).print(out); return nil },
		"models ls":    func(out io.Writer, text string) error { return printModels(out, filled[[]modelRow](text)) },
		"dlq ls":       func(out io.Writer, text string) error { return printDeadLetters(out, filled[deadletter.Listing](text)) },
		"dlq show":     func(out io.Writer, text string) error { return filled[shownDeadLetter](text).print(out) },
		"trace":        func(out io.Writer, text string) error { return printHistories(out, filled[[]lineage.History](text)) },
		"scenes ls":    func(out io.Writer, text string) error { return printScenes(out, filled[[]mosaic.Listed](text)) },
		"scenes show": func(out io.Writer, text string) error {
			return printProducts(out, filled[[]mosaic.Listed](text), "/products")
		},
		"edges ls": func(out io.Writer, text string) error { return printBlocked(out, filled[[]blockedEdge](text)) },
	} {
		var harmless, forged bytes.Buffer
		if err := print(&harmless, "harmless"); err != nil {
			t.Fatal(err)
		}
		if err := print(&forged, hostile); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(strings.ReplaceAll(forged.String(), "\n", ""), visible.Hidden) {
			t.Errorf("%s prints %q", name, forged.String())
		}
		if a, b := strings.Count(harmless.String(), "\n"), strings.Count(forged.String(), "\n"); a != b || !strings.Contains(harmless.String(), "harmless") {
			t.Errorf("%s prints %d lines, with hostile names %d:\n%s", name, a, b, forged.String())
		}
		if !strings.Contains(forged.String(), `\x1b`) {
			t.Errorf("%s does not show what is there:\n%s", name, forged.String())
		}
	}
}
