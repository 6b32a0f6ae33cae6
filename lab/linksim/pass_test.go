package linksim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"cloudcanvas/edge/uplink/contact"
)

// compared plays two days.
func compared(t *testing.T, seed uint64) Report {
	t.Helper()
	o, p := DefaultTrace(), DefaultPlan()
	o.Days, o.TilesPerScene, o.TileBytes, o.Seed, p.Days = 2, 40, 1_000_000, seed, 2
	plan, err := Predict(p)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Compare(t.Context(), Generate(o), plan)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheSchedulerBeatsTheOthersAtWhatTheyWereMadeFor(t *testing.T) {
	for seed := range uint64(2) {
		r := compared(t, seed+1)
		by := map[string]Result{}
		for _, x := range r.Results {
			by[x.Policy] = x
			if !x.Simulated || float64(x.Sent) > r.LinkBytes+1 {
				t.Errorf("%s sent %d bytes of %.0f", x.Policy, x.Sent, r.LinkBytes)
			}
		}
		ours := by["canvas"]
		if l := by["canvas-layers"]; l.ValuePerByte < 1.2*ours.ValuePerByte || l.AlertP90 > 1.02*ours.AlertP90 {
			t.Errorf("in layers value per byte %.3f and alerts after %.0f s, without %.3f and %.0f s", l.ValuePerByte, l.AlertP90, ours.ValuePerByte, ours.AlertP90)
		}
		if v := by["kodan-like"].ValuePerByte; ours.ValuePerByte < v {
			t.Errorf("value per byte %.3f, kodan-like has %.3f", ours.ValuePerByte, v)
		}
		if l := by["serval-like"].AlertP90; ours.AlertP90 > 1.02*l {
			t.Errorf("alerts after %.0f s, serval-like has %.0f s", ours.AlertP90, l)
		}
		if u := by["earth+-like"].UnchangedBytes; ours.UnchangedBytes > u {
			t.Errorf("%d bytes for unchanged ground, earth+-like has %d", ours.UnchangedBytes, u)
		}
		if r.ValueGain < 1 || r.UnchangedShare > 0.25 {
			t.Errorf("over FIFO: value %+.2f, unchanged %.2f", r.ValueGain, r.UnchangedShare)
		}
	}
}

func TestTheSameSeedGivesTheSameReport(t *testing.T) {
	a, b := compared(t, 5), compared(t, 5)
	if a.SVG() != b.SVG() || a.ValueGain != b.ValueGain || a.LatencyGain != b.LatencyGain {
		t.Error("two runs differ")
	}
}

// Three items over a link of 1000 bytes a second that is there from second 10 to 20 and from 100 on.
func TestASmallPassIsPlayedToTheByte(t *testing.T) {
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	plan := Plan{Begin: begin, BytesPerSecond: 1000, Windows: []contact.Window{{From: at(10), To: at(20)}, {From: at(100), To: at(200)}}}
	trace := Trace{
		{At: 0, Kind: "tile", Bytes: 14_488, Value: 0.5, Seen: 0.5, Changed: true, Looks: true},
		{At: 15 * time.Second, Kind: "alert", Bytes: 488, Value: 1, Seen: 1, Changed: true, Looks: true},
		{At: 150 * time.Second, Kind: "tile", Bytes: 1000, Value: 0.1, Seen: 0.1},
	}
	rep, err := Compare(t.Context(), trace, plan)
	if err != nil {
		t.Fatal(err)
	}
	fifo, ours := rep.Results[0], rep.Results[4]
	if fifo.AlertP50 != 106-15 { // 10 s of the first tile, 5 s more of it, then a second
		t.Errorf("FIFO's alert came after %g s", fifo.AlertP50)
	}
	if fifo.Sent != 15_000+1000+1512 || fifo.ValueBytes != 0.5*14_488+488+0.1*1000 || fifo.UnchangedBytes != 1512 {
		t.Errorf("%+v", fifo)
	}
	if ours.AlertP50 > 3 { // after the part that is on its way, in the same window
		t.Errorf("our alert came after %g s", ours.AlertP50)
	}
	if ours.UnchangedBytes != describedBytes+512 || ours.Delivered != 3 {
		t.Errorf("%+v", ours)
	}
}

func TestTheReportSaysSimulatedEverywhere(t *testing.T) {
	r := compared(t, 1)
	var b bytes.Buffer
	r.Print(&b)
	svg := r.SVG()
	if !strings.HasPrefix(b.String(), "simulated") || strings.Count(b.String(), "re-implemented") != 3 || strings.Count(svg, "simulated") < 2 {
		t.Errorf("%s\n%.300s", b.String(), svg)
	}
	d := xml.NewDecoder(strings.NewReader(svg))
	lines := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 12 || strings.Contains(svg, "NaN") {
		t.Errorf("%d curves", lines)
	}
}

func TestTracesAreReadAndMistakesNamed(t *testing.T) {
	const head = "at_s,kind,bytes,cloud,changed,value,seen,looks\n"
	good, err := ParseCSV(strings.NewReader(head + "60,tile,400000,0.2,true,0.8,0.7,false\n0,alert,600,0,true,1,1,true\n"))
	if err != nil || len(good) != 2 || good[0].Kind != "alert" || good[1].At != time.Minute || good[1].Looks || good[1].Seen != 0.7 {
		t.Errorf("%+v, %v", good, err)
	}
	if j, err := ParseJSON(strings.NewReader(`[{"at_s":1,"kind":"tile","bytes":9,"cloud":0,"changed":true,"value":0.5}]`)); err != nil || !j[0].Looks || j[0].Seen != 0.5 {
		t.Errorf("%+v, %v", j, err)
	}
	for text, want := range map[string]string{
		"":                                 "first line",
		"a,b\n":                            "first line",
		head:                               "0 captures",
		head + "x,tile,1,0,true,1,1,true":  "line 2: at_s",
		head + "1,tile,-5,0,true,1,1,true": "bytes is -5",
		head + "1,tile,x,0,true,1,1,true":  "line 2: bytes",
		head + "1,video,5,0,true,1,1,true": "kind is \"video\"",
		head + "1,tile,5,2,true,1,1,true":  "between 0 and 1",
		head + "NaN,tile,5,0,true,1,1,yes": "line 2: looks",
		head + "NaN,tile,5,0,true,1,1,1":   "at_s is NaN",
		head + "1,tile,5,NaN,true,1,1,1":   "between 0 and 1",
		head + "1,tile\n":                  "wrong number of fields",
	} {
		if _, err := ParseCSV(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTheMadeTraceIsWhatItSays(t *testing.T) {
	o := DefaultTrace()
	var cloud, changed, wrong, tiles float64
	for _, c := range Generate(o) {
		if c.Kind != "tile" {
			continue
		}
		tiles++
		cloud += c.Cloud
		if c.Changed {
			changed++
		}
		if c.Changed != c.Looks {
			wrong++
		}
	}
	if tiles != 42_000 || math.Abs(cloud/tiles-o.Cloud) > 0.08 || math.Abs(changed/tiles-o.Changed) > 0.01 || math.Abs(wrong/tiles-0.077) > 0.01 {
		t.Errorf("%.0f tiles, cloud %.3f, changed %.3f, misjudged %.3f", tiles, cloud/tiles, changed/tiles, wrong/tiles)
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add("at_s,kind,bytes,cloud,changed,value,seen,looks\n60,tile,400000,0.2,true,0.8,0.7,false\n")
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := ParseCSV(strings.NewReader(text))
		for _, c := range trace {
			if err != nil || c.Bytes < 1 || c.At < 0 || !(c.Value >= 0 && c.Value <= 1) {
				t.Fatalf("%+v passed", c)
			}
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add(`[{"at_s":1,"kind":"tile","bytes":9,"cloud":0,"changed":true,"value":0.5}]`)
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := ParseJSON(strings.NewReader(text))
		for _, c := range trace {
			if err != nil || c.Bytes < 1 || c.At < 0 {
				t.Fatalf("%+v passed", c)
			}
		}
	})
}
