package contact

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// svalbard sees every orbit of a polar satellite.
var svalbard = Station{Latitude: 78.23, Longitude: 15.41, Altitude: 450}

// polar is a made-up sun-synchronous orbit with its epoch at t0.
var polar = []string{
	"1 99999U 26001A   26060.00000000  .00000000  00000-0  00000-0 0    12",
	"2 99999  97.4000 130.0000 0010000  90.0000   0.0000 15.21900000    10",
}

// The vectors are those of Vallado et al., "Revisiting Spacetrack Report #3" (AIAA 2006-6753), tcppver.out.
func TestPropagationMatchesThePublishedVectors(t *testing.T) {
	type vectors map[float64][3]float64
	for _, c := range []struct {
		name  string
		lines string
		want  vectors
	}{
		{"Vanguard, high eccentricity", "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753\n2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667",
			vectors{0: {7022.46529266, -1400.08296755, 0.03995155}, 360: {-7154.03120202, -3783.17682504, -3536.19412294}, 1440: {-938.55923943, -6268.18748831, -4294.02924751}, 4320: {-9060.47373569, 4658.70952502, 813.68673153}}},
		{"Delta 1 debris, normal drag", "1 06251U 62025E   06176.82412014  .00008885  00000-0  12808-3 0  3985\n2 06251  58.0579  54.0425 0030035 139.1568 221.1854 15.56387291  6774",
			vectors{0: {3988.31022699, 5498.96657235, 0.90055879}, 120: {-3935.69800083, 409.10980837, 5471.33577327}, 1440: {-2777.14682335, -5663.16031708, -2462.54889123}, 2880: {1159.27802897, 5056.60175495, 4353.49418579}}},
	} {
		e, err := ParseElements(c.lines)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		s, err := e.satellite()
		if err != nil {
			t.Fatal(err)
		}
		for minutes, want := range c.want {
			got, err := s.FindPosition(minutes)
			if err != nil {
				t.Fatal(err)
			}
			d := vector{got.Position.X, got.Position.Y, got.Position.Z}.minus(vector{want[0], want[1], want[2]})
			if off := math.Sqrt(d.dot(d)); off > 1e-5 { // a centimetre; the vectors have 10 µm
				t.Errorf("%s after %.0f min: %.6f km off", c.name, minutes, off)
			}
		}
	}
}

// Meeus, Astronomical Algorithms, 2nd ed., example 12.b: 1987 April 10, 19:21:00 UT is 8 h 34 m 57.0896 s.
func TestTheEarthStandsWhereTheAlmanacSays(t *testing.T) {
	got := siderealAngle(time.Date(1987, 4, 10, 19, 21, 0, 0, time.UTC))
	got = math.Mod(got+2*math.Pi, 2*math.Pi) / (2 * math.Pi) * 86400
	if want := 8*3600 + 34*60 + 57.0896; math.Abs(got-want) > 1e-3 {
		t.Errorf("sidereal time %.4f s, not %.4f s", got, want)
	}
	at, up := Station{Latitude: 0, Longitude: 90}.fixed()
	if math.Abs(at.y-6378.137) > 1e-6 || math.Abs(up.y-1) > 1e-12 {
		t.Errorf("a station on the equator at 90° east lies at %+v", at)
	}
	if at, _ := (Station{Latitude: 90}).fixed(); math.Abs(at.z-6356.752314) > 1e-5 {
		t.Errorf("the pole lies at %+v", at)
	}
}

func TestPassesAreWhereTheSatelliteIsUp(t *testing.T) {
	p, err := NewOrbit(Orbit{TLE: polar, Station: svalbard, MinElevation: 10, BytesPerSecond: 1000})
	if err != nil {
		t.Fatal(err)
	}
	windows := p.Windows(t0, t0.Add(24*time.Hour))
	if len(windows) < 9 || len(windows) > 16 {
		t.Fatalf("%d passes a day", len(windows))
	}
	next := 0
	for at := t0; at.Before(t0.Add(24 * time.Hour)); at = at.Add(time.Second) {
		for next < len(windows) && !at.Before(windows[next].To) {
			next++
		}
		up := next < len(windows) && windows[next].Holds(at)
		if e := p.Elevation(at); up != (e >= 10) && math.Abs(e-10) > 0.1 {
			t.Fatalf("%s: %.2f degrees, in a window: %v", at, e, up)
		}
	}
	for _, w := range windows {
		if l := w.To.Sub(w.From); l < stride || l > 15*time.Minute || w.Elevation < 10 || w.Elevation > 90 || w.BytesPerSecond != 1000 {
			t.Errorf("a pass of %s, %+v", l, w)
		}
	}
	// A question that begins within a pass is reported all of it.
	w := windows[3]
	again := p.Windows(w.From.Add(w.To.Sub(w.From)/2), w.To)
	if len(again) != 1 || again[0].From.Sub(w.From).Abs() > time.Second || again[0].To.Sub(w.To).Abs() > time.Second {
		t.Errorf("%+v became %+v", w, again)
	}
}

func TestEveryMistakeInContactsIsNamed(t *testing.T) {
	now := t0.Add(48 * time.Hour)
	list := func(times ...string) Config {
		c := DefaultConfig()
		for i := 0; i < len(times); i += 2 {
			c.List = append(c.List, Entry{From: times[i], To: times[i+1]})
		}
		return c
	}
	orbit := func(change func(*Orbit)) Config {
		c := DefaultConfig()
		c.Orbit.TLE, c.Orbit.Station = append([]string{}, polar...), svalbard
		change(&c.Orbit)
		return c
	}
	for name, c := range map[string]struct {
		config Config
		want   string // field: part of the message; empty: no problem
	}{
		"nothing":                 {DefaultConfig(), ""},
		"a good list":             {list("2026-03-03T10:00:00Z", "2026-03-03T10:10:00Z", "2026-03-03T10:10:00Z", "2026-03-03T11:00:00Z"), ""},
		"no time":                 {list("tomorrow", "2026-03-03T10:10:00Z"), "list.0.from: \"tomorrow\" is no time"},
		"backward":                {list("2026-03-03T10:00:00Z", "2026-03-03T09:00:00Z"), "list.0: ends at"},
		"overlapping":             {list("2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z", "2026-03-03T09:00:00Z", "2026-03-03T10:00:01Z"), "list.1: overlaps"},
		"all past":                {list("2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"), "list: every window is past"},
		"a good day":              {Config{Daily: []Daily{{From: "22:00", To: "02:00"}, {From: "02:00", To: "03:00"}}}, ""},
		"a day over midnight":     {Config{Daily: []Daily{{From: "22:00", To: "02:00"}, {From: "01:00", To: "03:00"}}}, "daily.1: overlaps"},
		"no time of day":          {Config{Daily: []Daily{{From: "25:00", To: "02:00"}}}, "daily.0.from: \"25:00\""},
		"a negative rate":         {Config{Daily: []Daily{{From: "01:00", To: "02:00", BytesPerSecond: -1}}}, "daily.0.bytes_per_second: is negative"},
		"two plans":               {func() Config { c := orbit(func(*Orbit) {}); c.Daily = []Daily{{From: "01:00", To: "02:00"}}; return c }(), ": more than one"},
		"good elements":           {orbit(func(*Orbit) {}), ""},
		"a name above":            {orbit(func(o *Orbit) { o.TLE = append([]string{"CANVAS 1"}, o.TLE...) }), ""},
		"stale elements":          {orbit(func(o *Orbit) { o.MaxAge = 36 * time.Hour }), "orbit.tle: the elements are of 2026-03-01, 2 days old"},
		"a changed digit":         {orbit(func(o *Orbit) { o.TLE[1] = strings.Replace(o.TLE[1], "97.4", "97.5", 1) }), "orbit.tle: line 2: the checksum"},
		"a line cut off":          {orbit(func(o *Orbit) { o.TLE[0] = o.TLE[0][:60] }), "orbit.tle: line 1: has 60 characters"},
		"one line":                {orbit(func(o *Orbit) { o.TLE = o.TLE[:1] }), "orbit.tle: 1 lines"},
		"lines of two satellites": {orbit(func(o *Orbit) { o.TLE[1] = "2 06251  58.0579  54.0425 0030035 139.1568 221.1854 15.56387291  6774" }), "orbit.tle: line 1 is of satellite"},
		"a deep-space orbit": {orbit(func(o *Orbit) {
			o.TLE = []string{"1 08195U 75081A   06176.33215444  .00000099  00000-0  11873-3 0   813", "2 08195  64.1586 279.0717 6877146 264.7651  20.2257  2.00491383225656"}
		}), "orbit.tle: 2.00 revolutions a day"},
		"no such file":  {orbit(func(o *Orbit) { o.TLE, o.TLEFile = nil, filepath.Join(t.TempDir(), "none") }), "orbit.tle_file: "},
		"a bad station": {orbit(func(o *Orbit) { o.Station.Latitude = 91 }), "orbit.station.latitude: 91"},
		"a bad horizon": {orbit(func(o *Orbit) { o.MinElevation = 90 }), "orbit.min_elevation: 90"},
	} {
		var got []string
		c.config.Problems(now, func(field, message, hint string) {
			if hint == "" {
				t.Errorf("%s: %s has no hint", name, field)
			}
			got = append(got, field+": "+message)
		})
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) == 0 || !strings.HasPrefix(got[0], c.want)) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestElementsComeFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "canvas.tle")
	if err := os.WriteFile(file, []byte("CANVAS 1\r\n"+strings.Join(polar, "\r\n")+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{Orbit: Orbit{TLEFile: file, Station: svalbard, MinElevation: 5}})
	if err != nil || len(p.Windows(t0, t0.Add(24*time.Hour))) == 0 {
		t.Errorf("%v", err)
	}
}

func TestTheCalendarKnowsTheWindowOfEachMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list List
		at := t0
		for range rapid.IntRange(0, 12).Draw(t, "windows") {
			at = at.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "gap")) * time.Minute)
			w := Window{From: at, To: at.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "length")) * time.Minute)}
			list, at = append(list, w), w.To
		}
		c := NewCalendar(list)
		now := t0
		for range 30 {
			now = now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "passes")) * time.Minute)
			var want Window
			open := false
			for _, w := range list {
				if now.Before(w.To) && w.From.Before(now.Add(ahead)) {
					want, open = w, w.Holds(now)
					break
				}
			}
			if got, is := c.At(now); got != want || is != open {
				t.Fatalf("%s: %+v %v, not %+v %v", now, got, is, want, open)
			}
		}
	})
}

func TestADailyPlanComesEveryDayAlsoOverMidnight(t *testing.T) {
	p, err := New(Config{Daily: []Daily{{From: "22:00", To: "02:00", BytesPerSecond: 7}, {From: "12:00", To: "12:30"}}})
	if err != nil {
		t.Fatal(err)
	}
	c := NewCalendar(p)
	for hour, want := range map[float64]bool{0: true, 1.9: true, 2: false, 11.9: false, 12.2: true, 12.5: false, 22: true, 25: true, 27: false} {
		if _, open := c.At(t0.Add(time.Duration(hour * float64(time.Hour)))); open != want {
			t.Errorf("at %g h open is %v", hour, open)
		}
	}
	past, coming := NewCalendar(p).Around(t0.Add(13 * time.Hour))
	if len(past) < 2 || len(coming) != 2 || coming[0].BytesPerSecond != 7 {
		t.Errorf("past %v, coming %v", past, coming)
	}
}

func FuzzParseElements(f *testing.F) {
	f.Add(strings.Join(polar, "\n"))
	f.Add("CANVAS 1\n" + strings.Join(polar, "\r\n"))
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseElements(text)
		if err != nil {
			return
		}
		p, err := NewOrbit(Orbit{TLE: e.Lines[:], Station: svalbard})
		if err != nil {
			t.Fatal(err)
		}
		if d := p.Elevation(e.Epoch); math.IsNaN(d) || d < -90 || d > 90 {
			t.Fatalf("%g degrees", d)
		}
	})
}
