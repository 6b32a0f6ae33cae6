package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// say takes values of one sensor a second apart and gives what was reported, a word each.
func say(r *Set, values ...float64) (reported []string) {
	for i, v := range values {
		reported = append(reported, words(r.Take("boiler", start.Add(time.Duration(i)*time.Second), map[string]float64{"value": v}))...)
	}
	return reported
}

func words(found []Output) (reported []string) {
	for _, f := range found {
		if f.Alert != nil {
			reported = append(reported, fmt.Sprintf("%s %s %v%s", f.Alert.Side, f.Alert.State, f.Alert.Reading, strings.Join(f.Capture, "+")))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(f.Reading.Values)) {
			reported = append(reported, fmt.Sprintf("%s=%v", name, f.Reading.Values[name]))
		}
	}
	return reported
}

func at(v float64) *float64 { return &v }

func TestWhatRulesTell(t *testing.T) {
	for _, c := range []struct {
		name   string
		rule   Rule
		values []float64
		want   string
	}{
		{"no rule fits", Rule{Sensor: "door"}, []float64{1, 1, 2}, "value=1 value=1 value=2"},
		{"another value", Rule{Sensor: "boiler", Value: "pressure", Deadband: 5}, []float64{1, 1}, "value=1 value=1"},
		{"a pattern", Rule{Sensor: "boi*", Value: "val*", Deadband: 5}, []float64{1, 1}, "value=1"},
		{"a deadband", Rule{Sensor: "boiler", Deadband: 2}, []float64{10, 11, 11.9, 12, 13, 10, 10}, "value=10 value=12 value=10"},
		{"a slow drift", Rule{Sensor: "boiler", Deadband: 2}, []float64{10, 10.5, 11, 11.5, 12, 12.5}, "value=10 value=12"},
		{"at least so often", Rule{Sensor: "boiler", Deadband: 9, Every: 3 * time.Second}, []float64{1, 1, 1, 2, 1, 1, 1}, "value=1 value=2 value=1"},
		{"a window", Rule{Sensor: "boiler", Window: 3 * time.Second}, []float64{1, 3, 2, 9, 9}, "value.count=3 value.max=3 value.mean=2 value.min=1"},
		{"a limit above", Rule{Sensor: "boiler", Deadband: 1000, Above: at(90), Hysteresis: 5, Capture: []string{"gate"}},
			[]float64{80, 90, 91, 86, 92, 84.9, 90}, "value=80 above begin 90gate above end 84.9 above begin 90gate"},
		{"a limit below", Rule{Sensor: "boiler", Deadband: 1000, Below: at(0), Hysteresis: 1}, []float64{5, 0, 1, 1.5}, "value=5 below begin 0 below end 1.5"},
		{"a rate", Rule{Sensor: "boiler", Deadband: 1000, Rate: 10}, []float64{0, 9, 25, 17, 13}, "value=0 rate begin 16 rate end 4"},
		{"limits see what a window gathers", Rule{Sensor: "boiler", Window: time.Hour, Above: at(5)}, []float64{1, 6, 1}, "above begin 6 above end 1"},
		{"what is no number", Rule{Sensor: "boiler", Above: at(5)}, []float64{math.NaN(), math.Inf(1), 1, math.Inf(-1)}, "value=1"},
	} {
		if got := strings.Join(say(New([]Rule{c.rule}), c.values...), " "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestTheFirstRuleThatFitsCounts(t *testing.T) {
	r := New([]Rule{{Sensor: "boiler", Value: "t", Deadband: 5}, {Sensor: "boiler", Newest: true}})
	found := r.Take("boiler", start, map[string]float64{"t": 1, "p": 2, "q": 3})
	if len(found) != 2 || len(found[0].Reading.Values) != 2 || found[0].Newest != "boiler/" || found[1].Newest != "" {
		t.Errorf("%+v", found)
	}
	if found := r.Take("boiler", start, map[string]float64{"t": 2}); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}

func TestAWindowEndsWithoutAnotherReading(t *testing.T) {
	r := New([]Rule{{Sensor: "*", Window: time.Minute}})
	r.Take("boiler", start, map[string]float64{"a": 1, "b": 5})
	r.Take("boiler", start.Add(10*time.Second), map[string]float64{"a": 3})
	if found := r.Due(start.Add(59 * time.Second)); len(found) != 0 {
		t.Errorf("too early: %q", words(found))
	}
	found := r.Due(start.Add(time.Minute))
	if len(found) != 1 || !found[0].Reading.From.Equal(start) || !found[0].Reading.Time.Equal(start.Add(10*time.Second)) || found[0].Reading.Values["a.mean"] != 2 || found[0].Reading.Values["b.count"] != 1 {
		t.Errorf("%+v", found)
	}
	if found := r.Due(start.Add(time.Hour)); len(found) != 0 {
		t.Errorf("reported twice: %q", words(found))
	}
	r.Take("boiler", start.Add(2*time.Hour), map[string]float64{"a": 7})
	if found := words(r.Close(start)); len(found) != 4 {
		t.Errorf("at the end: %q", found)
	}
}

func TestWindowsGoOnAfterACrash(t *testing.T) {
	rules := []Rule{{Sensor: "boiler", Window: time.Minute}}
	before := New(rules)
	kept := map[string]Window{}
	keep := func(r *Set) {
		for _, w := range r.Changed() {
			kept[w.Sensor+"/"+w.Value] = w
		}
	}
	before.Take("boiler", start, map[string]float64{"a": 1, "b": 5})
	keep(before)
	before.Take("boiler", start.Add(time.Second), map[string]float64{"a": 3})
	keep(before)
	if more := before.Changed(); len(more) != 0 {
		t.Errorf("%+v changed by nothing", more)
	}
	windows := func() []Window { return slices.Collect(maps.Values(kept)) }

	after := New(rules)
	if found := after.Resume(windows(), start); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	after.Take("boiler", start.Add(2*time.Second), map[string]float64{"a": 8})
	found := after.Due(start.Add(time.Minute))
	if len(found) != 1 || found[0].Reading.Values["a.count"] != 3 || found[0].Reading.Values["a.mean"] != 4 || found[0].Reading.Values["b.count"] != 1 || !found[0].Reading.From.Equal(start) {
		t.Errorf("%+v", found)
	}
	keep(after)
	if kept["boiler/a"].Count != 0 {
		t.Errorf("%+v was reported", kept["boiler/a"])
	}
	kept["boiler/a"] = Window{Sensor: "boiler", Value: "a", From: start, Last: start, Count: 2}
	if found := New(nil).Resume(windows(), start); len(found) != 1 || found[0].Reading.Values["a.count"] != 2 {
		t.Errorf("without the rule: %+v", found)
	}
}

func TestALateReadingAltersNoAlert(t *testing.T) {
	r := New([]Rule{{Sensor: "boiler", Deadband: 1, Above: at(90), Rate: 1000}})
	take := func(after time.Duration, v float64) string {
		return strings.Join(words(r.Take("boiler", start.Add(after), map[string]float64{"value": v})), " ")
	}
	for i, c := range []struct {
		after time.Duration
		value float64
		want  string
	}{
		{10 * time.Second, 95, "above begin 95 value=95"},
		{5 * time.Second, 20, "value=20"}, // late: reported, but the alert stays and so does what was reported last
		{10 * time.Second, 95.5, ""},      // the same moment again
		{11 * time.Second, 80, "above end 80 value=80"},
		{-time.Hour, 80, "value=80"}, // the clock was set back: time begins anew
		{-time.Hour + time.Second, 91, "above begin 91 value=91"},
		{20 * 365 * 24 * time.Hour, 91, ""}, // and forth
		{time.Second, 10, "above end 10 value=10"},
	} {
		if got := take(c.after, c.value); got != c.want {
			t.Errorf("reading %d: %q, want %q", i, got, c.want)
		}
	}
}

func TestAWindowSurvivesAClockThatIsSet(t *testing.T) {
	r := New([]Rule{{Sensor: "boiler", Window: time.Minute}})
	var reported []string
	for _, after := range []time.Duration{0, time.Second, -5 * time.Second, -10 * time.Hour, -10*time.Hour + 59*time.Second, 10 * 365 * 24 * time.Hour} {
		reported = append(reported, words(r.Take("boiler", start.Add(after), map[string]float64{"v": 1}))...)
	}
	reported = append(reported, words(r.Close(start))...)
	var counts []string
	for _, word := range reported {
		if strings.HasPrefix(word, "v.count=") {
			counts = append(counts, word)
		}
	}
	if got := strings.Join(counts, " "); got != "v.count=3 v.count=2 v.count=1" {
		t.Errorf("%s", got)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	r := New([]Rule{{Sensor: "*", Deadband: 5}})
	values := map[string]float64{}
	for i := range 2 * maxValues {
		values[fmt.Sprint(i)] = 1
	}
	r.Take("boiler", start, values)
	again := r.Take("boiler", start, values)
	if len(r.values) != maxValues || len(again) != 1 || len(again[0].Reading.Values) != maxValues {
		t.Errorf("%d values are remembered", len(r.values))
	}
}

// TestWindowsAndAlertsHoldForAnyReadings counts readings in and out, and pairs begins with ends.
func TestWindowsAndAlertsHoldForAnyReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New([]Rule{{Sensor: "*", Window: 10 * time.Second, Above: at(10), Below: at(-10), Hysteresis: 2, Rate: 5}})
		now, in, out, open := start, 0.0, 0.0, map[string]bool{}
		check := func(found []Output) {
			for _, f := range found {
				if a := f.Alert; a != nil {
					if open[a.Side] != (a.State == End) {
						t.Fatalf("%s %s out of turn", a.Side, a.State)
					}
					open[a.Side] = a.State == Begin
					continue
				}
				v := f.Reading.Values
				out += v["v.count"]
				if !(v["v.min"] <= v["v.mean"] && v["v.mean"] <= v["v.max"]) {
					t.Fatalf("%v", v)
				}
			}
		}
		value := rapid.OneOf(rapid.Float64Range(-20, 20), rapid.Float64(), rapid.Just(math.MaxFloat64), rapid.Just(-math.MaxFloat64))
		for range rapid.IntRange(0, 60).Draw(t, "readings") {
			now = now.Add(time.Duration(rapid.OneOf(rapid.IntRange(-3, 8), rapid.IntRange(-90_000, 90_000)).Draw(t, "seconds")) * time.Second)
			v := value.Draw(t, "value")
			if v-v == 0 {
				in++
			}
			check(r.Take("s", now, map[string]float64{"v": v}))
			if rapid.Bool().Draw(t, "look") {
				check(r.Due(now))
			}
		}
		check(r.Close(now))
		if in != out {
			t.Fatalf("%v readings, %v in windows", in, out)
		}
	})
}

func TestConfigurationMistakesAreAllNamed(t *testing.T) {
	var fields []string
	add := func(field, _, hint string) {
		if hint == "" {
			t.Errorf("%s has no hint", field)
		}
		fields = append(fields, field)
	}
	Rule{Value: "[", Deadband: -1, Rate: math.Inf(1), Hysteresis: math.NaN(), Every: -1, Window: 48 * time.Hour}.Problems(add)
	Rule{Sensor: "a", Window: time.Minute, Every: time.Minute, Above: at(1), Below: at(2)}.Problems(add)
	Rule{Sensor: "a", Above: at(math.NaN())}.Problems(add)
	Rule{Sensor: "a", Capture: []string{"gate"}}.Problems(add)
	if got := strings.Join(fields, " "); got != "sensor value deadband every window rate hysteresis window below above capture" {
		t.Error(got)
	}
	Rule{Sensor: "boiler", Above: at(90), Capture: []string{"gate"}}.Problems(func(field, message, _ string) { t.Errorf("%s: %s", field, message) })
}
