package sar

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write puts an acquisition into a folder: 200 lines of 400 samples, and a change of its parameters.
func write(t testing.TB, change func(map[string]string), data []byte) string {
	t.Helper()
	p := map[string]string{
		"data": "echoes.iq8", "lines": "200", "samples": "400", "carrier_hz": "5.3e9", "prf_hz": "1257", "sampling_hz": "32.317e6",
		"chirp_rate_hz_s": "-0.72135e12", "chirp_s": "10e-6", "first_sample_slant_range_m": "988647", "effective_velocity_m_s": "7062",
	}
	if change != nil {
		change(p)
	}
	var text strings.Builder
	for k, v := range p {
		fmt.Fprintf(&text, "%s: %s\n", k, v)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "scene.yaml")
	if data == nil {
		data = make([]byte, 200*400*2)
		for i := range data {
			data[i] = byte(i*7919>>4&31) - 16
		}
	}
	for name, bytes := range map[string][]byte{"scene.yaml": []byte(text.String()), "echoes.iq8": data} {
		if err := os.WriteFile(filepath.Join(dir, name), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func set(pairs ...string) func(map[string]string) {
	return func(p map[string]string) {
		for i := 0; i < len(pairs); i += 2 {
			p[pairs[i]] = pairs[i+1]
			if pairs[i+1] == "" {
				delete(p, pairs[i])
			}
		}
	}
}

func TestWhatIsWrongIsToldByTheParametersName(t *testing.T) {
	for _, c := range []struct {
		change func(map[string]string)
		want   []string
	}{
		{set("prf", "1257"), []string{"prf: is not a setting"}},
		{set("carier_hz", "5.3e9", "carrier_hz", ""), []string{"did you mean carrier_hz?", "carrier_hz: is missing or zero"}},
		{set("lines", "199"), []string{"data: echoes.iq8 has 160000 bytes, 200 lines of 400 samples in iq8, but lines says 199"}},
		{set("samples", "399"), []string{"200 lines and 400 bytes more of 399 samples"}},
		{set("lines", "100", "format", "iq8"), []string{"it would fit format: iq16"}},
		{set("lines", "0"), []string{"lines: is missing or zero"}},
		{set("lines", "-5"), []string{"lines: is -5, must be"}},
		{set("lines", "1000000000"), []string{"lines: is 1e+09, must be"}},
		{set("lines", "many"), []string{`lines: is "many", not a whole number`}},
		{set("carrier_hz", ".nan"), []string{"carrier_hz: is \".nan\", not a number"}},
		{set("carrier_hz", "NaN"), []string{"carrier_hz: is NaN, must be"}},
		{set("prf_hz", "-1257"), []string{"prf_hz: is -1257, must be"}},
		{set("prf_hz", "Inf"), []string{"prf_hz: is +Inf, must be"}},
		{set("chirp_rate_hz_s", ""), []string{"chirp_rate_hz_s: is missing or zero"}},
		{set("chirp_s", ""), []string{"chirp_s: is missing or zero"}},
		{set("chirp_s", "9"), []string{"chirp_s: is 9, must be"}},
		{set("chirp_s", "12.4e-6"), []string{"chirp is longer than the swath"}},
		{set("chirp_rate_hz_s", "4e12"), []string{"sampling_hz: is 3.2317e+07, less than the chirp's band of 4e+07 Hz", "aliased"}},
		{set("chirp_rate_hz_s", "1e11"), []string{"time-bandwidth product of 10"}},
		{set("prf_hz", "100000"), []string{"prf_hz: is 100000, but a line of 400 samples at sampling_hz lasts"}},
		{set("prf_hz", "100"), []string{"prf_hz: is 100: at 7062 m/s it would sample the Doppler band only of an antenna longer than 141 m"}},
		{set("antenna_length_m", "10"), []string{"prf_hz: is 1257, below the Doppler band of 1243"}[:0]},
		{set("antenna_length_m", "8"), []string{"prf_hz: is 1257, below the Doppler band of 1554 Hz of an antenna of 8 m"}},
		{set("effective_velocity_m_s", ""), []string{"effective_velocity_m_s: is missing or zero, and there is no orbit"}},
		{set("first_sample_slant_range_m", "-3"), []string{"first_sample_slant_range_m: is -3"}},
		{set("speed_of_light_m_s", "3e9"), []string{"speed_of_light_m_s: is 3e+09"}},
		{set("doppler_centroid_hz", "NaN"), []string{"doppler_centroid_hz: is NaN"}},
		{set("doppler_centroid_hz", "200000"), []string{"doppler_centroid_hz: is 200000: the beam would look"}},
		{set("format", "int8"), []string{`format: is "int8"`, "iq8, iq16, cf32"}},
		{set("pulse_reference", "end"), []string{`pulse_reference: is "end"`, "centre, start"}},
		{set("look_side", "up"), []string{`look_side: is "up"`}},
		{set("polarisation", "vv"), []string{`polarisation: is "vv"`}},
		{set("mode", "spotlight"), []string{`mode: is "spotlight"`}},
		{set("data", ""), []string{"data: is missing"}},
		{set("data", "../echoes.iq8"), []string{"data: is \"../echoes.iq8\", which leads out of the folder"}},
		{set("data", "/etc/passwd"), []string{"which leads out of the folder"}},
		{set("data", "none.iq8"), []string{"data: open the echoes"}},
		{set("agc", "../../agc.txt"), []string{"agc: is \"../../agc.txt\", which leads out of the folder"}},
		{set("agc", "none.txt"), []string{"agc: ", "none.txt"}},
		{set("agc", "scene.yaml"), []string{"agc: number 1 of scene.yaml is"}},
		{set("orbit", "[{time: 2002-06-16T00:00:00Z, position_m: [1, 2, 3], velocity_m_s: [7000, 0, 0]}]"), []string{"orbit: there is one state vector"}},
		{set("orbit", "[{time: 2002-06-16T00:00:00Z, position_m: [7e6, 0], velocity_m_s: [7000, 0, 0]}]"), []string{"orbit.0.position_m: is not a list of 3"}},
		{set("orbit", "[{position_m: [7e6, 0, 0], velocity_m_s: [7000, 0, 0]}]"), []string{"orbit: there is one state vector"}},
	} {
		e, err := Open(write(t, c.change, nil))
		if len(c.want) == 0 {
			if err != nil {
				t.Errorf("of good parameters: %v", err)
			} else {
				e.Close()
			}
			continue
		}
		if err == nil {
			e.Close()
			t.Errorf("%q is not told", c.want)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in: %v", want, err)
			}
		}
	}
}

func TestAGCHasANumberForEachLine(t *testing.T) {
	for numbers, want := range map[int]string{200: "", 199: "agc: agc.txt has 199 numbers for 200 lines", 500: "agc: agc.txt has 500 numbers for 200 lines"} {
		path := write(t, set("agc", "agc.txt"), nil)
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "agc.txt"), []byte(strings.Repeat("20\n", numbers)), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := Open(path)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, gains, err := e.Raw(10, 5)
		if err != nil || len(gains) != 5 || math.Abs(float64(gains[0])-10) > 1e-6 {
			t.Error(gains, err)
		}
		if _, _, err := e.Raw(198, 3); err == nil {
			t.Error("lines behind the last are read")
		}
		e.Close()
	}
}

func TestALinkMayNotLeadOutOfTheFolder(t *testing.T) {
	path := write(t, nil, nil)
	data := filepath.Join(filepath.Dir(path), "echoes.iq8")
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Rename(data, other); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, data); err != nil {
		t.Fatal(err)
	}
	if e, err := Open(path); err == nil {
		e.Close()
		t.Error("it may")
	}
}

func TestNumbersThatMakeNoImageAreRefused(t *testing.T) {
	zeros := make([]byte, 200*400*2)
	floats := make([]byte, 200*400*8)
	copy(floats[(7*400+3)*8+4:], []byte{0, 0, 0xc0, 0x7f}) // NaN
	mostlyZero := append(append([]byte(nil), zeros[:800*199]...), zeros[:800]...)
	mostlyZero[5] = 3
	saturated := make([]byte, 200*400*2)
	for i := range saturated {
		saturated[i] = byte(i % 64)
		if i%20 == 0 {
			saturated[i] = 127
		}
		if i&2 > 0 {
			saturated[i] = -saturated[i]
		}
	}
	for name, c := range map[string]struct {
		change     func(map[string]string)
		data       []byte
		err, warns string
	}{
		"zeros":      {nil, zeros, "data: all 200 lines are zeros", ""},
		"stuck":      {nil, bytes.Repeat([]byte{127}, 200*400*2), "data: all samples are about 127+127i", ""},
		"NaN":        {set("format", "cf32"), floats, "data: sample 3 of line 7 is NaN or infinite", ""},
		"mostly":     {nil, mostlyZero, "", "data: 199 of 200 lines are zeros"},
		"saturated":  {nil, saturated, "", "data: 5.0 % of the numbers are at the end of the format (127)"},
		"as they do": {nil, nil, "", ""},
	} {
		e, err := Open(write(t, c.change, c.data))
		if err != nil {
			t.Fatal(err)
		}
		q, err := e.Inspect(t.Context())
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		if told := strings.Join(q.Warnings(), "\n"); c.err == "" && (c.warns == "") != (told == "") || !strings.Contains(told, c.warns) {
			t.Errorf("%s: %q, want %q (%+v)", name, told, c.warns, q)
		}
		e.Close()
	}
}

func TestAPlanThatCannotBeIsRefused(t *testing.T) {
	p := cBand(0)
	for want, change := range map[string]func(p *Params, w *Weighting, memory *int64){
		"need":                   func(_ *Params, _ *Weighting, memory *int64) { *memory = 1 << 20 },
		"weighting in range":     func(_ *Params, w *Weighting, _ *int64) { w.Range = "taylor" },
		"chirp scaling would be": func(p *Params, _ *Weighting, _ *int64) { far := 60000.; p.DopplerCentroidHz, p.Samples = &far, 20000 },
		"effective_velocity_m_s": func(p *Params, _ *Weighting, _ *int64) { p.EffectiveVelocityMS = 0 },
		"doppler_centroid_hz is": func(p *Params, _ *Weighting, _ *int64) { far := 600000.; p.DopplerCentroidHz = &far },
		"blocks of": func(p *Params, _ *Weighting, m *int64) {
			p.Lines, *m = 1<<24, 2*planOf(t, cBand(0), 4<<30).memory(1200)
		},
		"be aliased in azimuth":     func(p *Params, _ *Weighting, _ *int64) { p.AntennaLengthM = 5 },
		"of an antenna longer than": func(p *Params, _ *Weighting, _ *int64) { p.PRFHz = 70 },
	} {
		q, w, memory := p, Weighting{}, int64(4<<30)
		change(&q, &w, &memory)
		if _, err := NewPlan(q, q.split(*q.DopplerCentroidHz, "given"), w, memory); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestTheVelocityIsThatOfTheOrbitWhereNoneIsGiven(t *testing.T) {
	p := scene(polar, "right")
	p.Data, p.Format, p.PulseReference, p.Mode = "echoes", IQ8, "centre", "stripmap"
	for _, hz := range []float64{0, -6900} {
		plan, err := NewPlan(p, p.split(hz, "given"), Weighting{}, 8<<30)
		if err != nil {
			t.Fatal(err)
		}
		if v := plan.Params.EffectiveVelocityMS; v < 6900 || v > 7300 {
			t.Errorf("at %v Hz it is %v", hz, v)
		}
	}
	p.LookSide = ""
	if _, err := NewPlan(p, p.split(0, "given"), Weighting{}, 8<<30); err == nil || !strings.Contains(err.Error(), "look_side") {
		t.Errorf("without the side that it looks to: %v", err)
	}
}
