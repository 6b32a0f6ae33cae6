package capture

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestAReadingIsNumbersByName(t *testing.T) {
	for payload, want := range map[string]map[string]float64{
		"21.5":    {"value": 21.5},
		" -1e3\n": {"value": -1000},
		`"3.2"`:   {"value": 3.2},
		`{"temperature":21.5,"battery":"97","ok":true,"unit":"C","none":null}`: {"temperature": 21.5, "battery": 97, "ok": 1},
		`{"wind":{"speed":3,"gust":[7,9]}}`:                                    {"wind.speed": 3, "wind.gust.0": 7, "wind.gust.1": 9},
		`{"a":{},"b":[],"c":1}`:                                                {"c": 1},
	} {
		got, err := ParseReading([]byte(payload))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v; want %v", payload, got, err, want)
		}
	}
}

func TestAValueThatIsNoNumberCostsNoOtherValue(t *testing.T) {
	for payload, bad := range map[string]int{
		`{"a":NaN,"b":1}`: 1, `{"b":1,"a":[Infinity,-Infinity, nan]}`: 3, `{"a":1e999,"b":1}`: 1,
		`{"NaN":"NaN","b":1}`: 0, `{"a\"":"x NaN","b":1}`: 0,
	} {
		got, n, err := parseReading([]byte(payload))
		if err != nil || n != bad || !reflect.DeepEqual(got, map[string]float64{"b": 1}) {
			t.Errorf("%s: %v, %d bad, %v", payload, got, n, err)
		}
	}
}

func TestAReadingThatMakesNoSenseIsRefused(t *testing.T) {
	for _, payload := range []string{
		"", "   ", "hot", "NaN", "Infinity", "0x1p4", "1e999", `{"a":1e999}`, "{", `{"a":1`, `{"a":1}{"b":2}`,
		"{}", "null", `{"a":"warm"}`, `{"a" 1}`, "\xff\xfe",
		strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20),
		`{"` + strings.Repeat("x", 200) + `":1}`,
		"[" + strings.Repeat("1,", 300) + "1]",
		strings.Repeat(" ", maxReadingBytes+1) + "1",
	} {
		if got, err := ParseReading([]byte(payload)); err == nil {
			t.Errorf("%.60q gave %v", payload, got)
		}
	}
}

func FuzzReading(f *testing.F) {
	for _, s := range []string{"1", `{"a":{"b":[1,"2",true]}}`, `{"a":1e999}`, "[[[[[[[[[1]]]]]]]]]", `"0x10"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := ParseReading(payload)
		if err != nil {
			return
		}
		if len(values) == 0 || len(values) > maxReadingValues {
			t.Errorf("%d values", len(values))
		}
		for name, v := range values {
			if name == "" && v == 0 {
				continue
			}
			if len(name) > maxReadingName || math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%q is %v", name, v)
			}
		}
	})
}

func FuzzShape(f *testing.F) {
	f.Add([]byte(`{"streams":[{"width":768,"height":576,"avg_frame_rate":"10/1","nb_frames":"795","side_data_list":[{"rotation":-90}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := readShape(data); err == nil && (s.w <= 0 || s.h <= 0 || s.fps < 0 || s.announced < 0) {
			t.Errorf("%+v", s)
		}
	})
}
