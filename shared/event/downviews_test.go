package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

const system = "EPSG:32632 10 0 0 -10 0 0 blue,green"

func views() DownViews {
	return DownViews{System: system, List: "l", After: 3, Before: 9, Next: 7, Top: 12,
		Views: []DownView{{X: -1, Y: 5, Bytes: 3}, {X: 2, Y: 5, Bytes: 1}}, Data: []byte("abcd")}
}

func TestViewsComeAsTheyWereSent(t *testing.T) {
	payload, err := views().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDownViews(payload)
	if err != nil || !reflect.DeepEqual(d, views()) {
		t.Fatalf("%+v %v", d, err)
	}
	var got []string
	d.Each(func(_ DownView, data []byte) error { got = append(got, string(data)); return nil })
	if strings.Join(got, " ") != "abc d" {
		t.Errorf("%q", got)
	}
}

func TestMessagesWithViewsThatCantBeAreRefused(t *testing.T) {
	for name, change := range map[string]func(*DownViews){
		"no system":           func(d *DownViews) { d.System = "EPSG:1" },
		"bytes that are none": func(d *DownViews) { d.Views[0].Bytes = 4 },
		"bytes below zero":    func(d *DownViews) { d.Views[0].Bytes, d.Views[1].Bytes = 5, -1 },
		"a block nowhere":     func(d *DownViews) { d.Views[0].X = 1 << 62 },
		"a long list":         func(d *DownViews) { d.List = strings.Repeat("l", 65) },
		"upwards":             func(d *DownViews) { d.Next = 10 },
		"above the top":       func(d *DownViews) { d.Before, d.Next = 0, 13 },
		"too many":            func(d *DownViews) { d.Views, d.Data = make([]DownView, 65), nil },
	} {
		d := views()
		change(&d)
		payload, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseDownViews(payload); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseDownViews(bytes.Repeat([]byte("{"), DownViewsBytes*2)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestAStatusAsksForViewsWithinBounds(t *testing.T) {
	for _, c := range []struct {
		wanted []WantedViews
		good   bool
	}{
		{[]WantedViews{{System: system, Bytes: 5}}, true},
		{make([]WantedViews, 9), false},
		{[]WantedViews{{System: "x"}}, false},
		{[]WantedViews{{System: system, Bytes: -1}}, false},
	} {
		payload, err := json.Marshal(Status{Status: Online, References: c.wanted})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := ParseStatus(payload); (err == nil) != c.good || c.good && !reflect.DeepEqual(s.References, c.wanted) {
			t.Errorf("%+v: %v", c.wanted, err)
		}
	}
}

func FuzzDownViews(f *testing.F) {
	payload, _ := views().Marshal()
	f.Add(payload)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		d, err := ParseDownViews(payload)
		if err != nil {
			return
		}
		sum := 0
		d.Each(func(_ DownView, data []byte) error { sum += len(data); return nil })
		if sum != len(d.Data) {
			t.Errorf("%d bytes of %d", sum, len(d.Data))
		}
	})
}
