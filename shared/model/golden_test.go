package model

import (
	"math"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/shared/onnx"
)

// The values are what models/golden.py's golden_input gives for the same shape and range.
func TestTheGoldenInputIsTheFormulasOfThePythonScript(t *testing.T) {
	in := GoldenInput{Shape: []int{1, 2, 10, 20}, Low: -1, High: 3}
	got := make([]float32, 400)
	in.Fill(got)
	for i, want := range map[int]float32{0: 1.973771333694458, 8: 0.9794573783874512, 160: 1.6257901191711426, 200: 2.3374111652374268, 399: 1.5271961688995361} {
		if got[i] != want {
			t.Errorf("value %d is %v, want %v", i, got[i], want)
		}
	}
	last := make([]float32, 400)
	in.Layout = "nhwc"
	in.Fill(last)
	if last[2*159+1] != got[200+159] {
		t.Error("channels last has other values")
	}
}

func TestAGoldenCaseFindsWrongValues(t *testing.T) {
	o := GoldenOutput{Name: "out", At: []int{1, 3}, Values: []float32{10, 0.001}}
	tolerance := Tolerance{Abs: 1e-4, Share: 1e-3, Rel: 1e-2}
	for name, c := range map[string]struct {
		got  []float32
		want string
	}{
		"the same":  {[]float32{0, 10, 0, 0.001}, ""},
		"near":      {[]float32{0, 10.1, 0, 0.01}, ""},
		"far":       {[]float32{0, 10.2, 0, 0.001}, "at 1 is 10.2"},
		"zero":      {[]float32{0, 0, 0, 0}, "should be 10"},
		"no number": {[]float32{0, 10, 0, float32(math.NaN())}, "NaN"},
		"short":     {[]float32{0, 10}, "has 2 values"},
	} {
		err := o.Compare(c.got, tolerance)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNonsenseGoldenCasesAreErrors(t *testing.T) {
	for _, bad := range []string{"", "[]", "{}", `{"input":{"shape":[1,3,8]},"outputs":[{}]}`, `{"input":{"shape":[1,3,8,-8]},"outputs":[{"at":[1],"values":[1]}]}`,
		`{"input":{"shape":[8192,8192,8192,8192]},"outputs":[{"at":[1],"values":[1]}]}`, `{"input":{"shape":[1,1,1,1]},"outputs":[{"at":[1,2],"values":[1]}]}`} {
		if _, err := parseGolden([]byte(bad)); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestLabelsMayStandInTheFile(t *testing.T) {
	entry := func(key, value string) []byte {
		return onnx.AppendMessage(nil, onnx.ModelMetadata, onnx.AppendText(onnx.AppendText(nil, onnx.EntryKey, key), onnx.EntryValue, value))
	}
	file := append(entry("author", "nobody"), entry("character", "a\r\nb\n \nö\n")...)
	got, err := LabelsIn(file, []string{"onnx:character"})
	if err != nil || !slices.Equal(got, []string{"a", "b", " ", "ö"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err = LabelsIn(file, []string{"onnx"}); err != nil || len(got) != 1 || got[0] != "onnx" {
		t.Errorf("%q, %v: a label of its own", got, err)
	}
	for _, wrong := range [][]byte{nil, file[:len(file)-3], entry("character", ""), entry("character", strings.Repeat("\n", maxLabels+2))} {
		if got, err := LabelsIn(wrong, []string{"onnx:character"}); err == nil {
			t.Errorf("%d labels in a file of %d bytes", len(got), len(wrong))
		}
	}
}
