package detect

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"

	"pgregory.net/rapid"
)

// square is a zone in the middle of the picture, from 0.25 to 0.75.
func square(name string) Zone {
	return Zone{Name: name, Polygon: []Point{{0.25, 0.25}, {0.75, 0.25}, {0.75, 0.75}, {0.25, 0.75}}, Inertia: 1}
}

// standing is a person whose feet are at that place of a picture of 200 x 100.
func standing(x, y float32) vision.Box {
	return vision.Box{X: 200*x - 20, Y: 100*y - 60, W: 40, H: 60, Score: 0.9, Label: "person"}
}

// walkThrough tells what became of one who stands at those places, one a frame, ten frames a second.
func walkThrough(p Places, at0 time.Time, path ...spot) (events []event.TrackEvent, t *Tracker) {
	t = NewTracker("gate", TrackConfig{Confirm: 1, MinIoU: 0.001, Update: time.Hour})
	t.Watch(p, 200, 100)
	for i, s := range path {
		events = append(events, t.Update(int64(i), at0.Add(time.Duration(i)*100*time.Millisecond), []vision.Box{standing(float32(s.x), float32(s.y))})...)
	}
	return append(events, t.Finish()...), t
}

// from is a walk in so many steps.
func from(a, b spot, steps int) (path []spot) {
	for i := range steps {
		s := float64(i) / float64(steps-1)
		path = append(path, spot{a.x + s*(b.x-a.x), a.y + s*(b.y-a.y)})
	}
	return path
}

// visits is what events say of zones: each change of where it is.
func visits(events []event.TrackEvent) string {
	var said []string
	for _, e := range events {
		said = append(said, fmt.Sprintf("%s@%d:%s/%s", e.Type, e.After.Frame, strings.Join(e.After.Zones, "+"), strings.Join(e.After.EnteredZones, "+")))
	}
	return strings.Join(said, " ")
}

func TestZonesAreEnteredAndLeftByTheFeet(t *testing.T) {
	slow := square("yard")
	slow.Inertia = 3
	loiter := square("yard")
	loiter.LoiteringSeconds = 0.3
	cars := square("yard")
	cars.Labels = []string{"car"}
	through := from(spot{0.03, 0.5}, spot{0.93, 0.5}, 19) // inside from 5 to 14
	edge := []spot{{0.2, 0.5}, {0.3, 0.5}, {0.2, 0.5}, {0.3, 0.5}, {0.3, 0.5}, {0.3, 0.5}, {0.2, 0.5}, {0.3, 0.5}}
	for name, c := range map[string]struct {
		zone Zone
		path []spot
		want string
	}{
		"through":          {square("yard"), through, "new@0:/ update@5:yard/yard update@15:/yard end@18:/yard"},
		"with inertia":     {slow, through, "new@0:/ update@7:yard/yard update@17:/yard end@18:/yard"},
		"trembling":        {slow, edge, "new@0:/ update@5:yard/yard end@7:yard/yard"},
		"loitering":        {loiter, through, "new@0:/ update@8:yard/yard update@15:/yard end@18:/yard"},
		"of other labels":  {cars, through, "new@0:/ end@18:/"},
		"with the head":    {square("yard"), from(spot{0.05, 0.9}, spot{0.95, 0.9}, 19), "new@0:/ end@18:/"},
		"begins inside it": {square("yard"), from(spot{0.5, 0.5}, spot{0.5, 0.5}, 3), "new@0:yard/yard end@2:yard/yard"},
	} {
		events, _ := walkThrough(Places{Zones: []Zone{c.zone}}, noon, c.path...)
		if got := visits(events); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWhatNeverEntersARequiredZoneIsNotToldAndNotCounted(t *testing.T) {
	p := Places{Zones: []Zone{square("yard"), {Name: "corner", Polygon: []Point{{0, 0.8}, {0.1, 0.8}, {0, 1}}}},
		Lines: []Line{{Name: "gate", From: Point{0.15, 1}, To: Point{0.15, 0}}}, RequiredZones: []string{"yard"}}
	events, _ := walkThrough(p, noon, from(spot{0.03, 0.5}, spot{0.93, 0.5}, 19)...)
	if got := visits(events); got != "new@5:yard/yard update@15:/yard end@18:/yard" {
		t.Error(got)
	}
	// What it crossed before is told with its first event.
	if c := events[0].After.Crossings; len(c) != 1 || c[0].Line != "gate" || c[0].Count != 1 || c[0].Frame >= 5 {
		t.Errorf("%+v", c)
	}
	events, tracker := walkThrough(p, noon, from(spot{0.05, 0.9}, spot{0.95, 0.9}, 19)...)
	if len(events) != 0 || len(tracker.crossed.counted()) != 0 {
		t.Errorf("%s, %+v", visits(events), tracker.crossed.counted())
	}
}

func TestALineIsCrossedInADirectionAndCounted(t *testing.T) {
	up := Line{Name: "door", From: Point{0.5, 1}, To: Point{0.5, 0.2}} // who looks up it has the right of the picture on the right
	there, back := from(spot{0.1, 0.5}, spot{0.9, 0.5}, 17), from(spot{0.9, 0.5}, spot{0.1, 0.5}, 17)
	cars := up
	cars.Labels = []string{"car"}
	tremble := slices.Concat(from(spot{0.1, 0.5}, spot{0.5, 0.5}, 9), []spot{{0.498, 0.5}, {0.502, 0.5}, {0.498, 0.5}, {0.502, 0.5}}, from(spot{0.5, 0.5}, spot{0.9, 0.5}, 9))
	for name, c := range map[string]struct {
		line Line
		path []spot
		want string
	}{
		"to the right":     {up, there, "left_to_right 1"},
		"there and back":   {up, slices.Concat(there, back), "left_to_right 1, right_to_left 1"},
		"there twice":      {up, slices.Concat(there, back, there), "left_to_right 1, right_to_left 1, left_to_right 2"},
		"seen from above":  {Line{Name: "door", From: up.To, To: up.From}, there, "right_to_left 1"},
		"stands on it":     {up, tremble, "left_to_right 1"},
		"past its end":     {up, from(spot{0.1, 0.15}, spot{0.9, 0.15}, 17), ""},
		"not of its label": {cars, there, ""},
	} {
		events, tracker := walkThrough(Places{Lines: []Line{c.line}}, noon, c.path...)
		last := events[len(events)-1].After
		var got []string
		for _, x := range last.Crossings {
			got = append(got, fmt.Sprintf("%s %d", x.Direction, x.Count))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		updates, total := 0, int64(0)
		for _, e := range events {
			if e.Type == event.TrackUpdate {
				updates++
			}
		}
		for _, x := range tracker.crossed.counted() {
			total += x.Count
		}
		if updates != len(got) || int(total) != len(got) {
			t.Errorf("%s: %d updates and %d counted", name, updates, total)
		}
	}
}

func TestOfManyCrossingsTheLatestAreToldAndAllAreCounted(t *testing.T) {
	line := Line{Name: "door", From: Point{0.5, 1}, To: Point{0.5, 0}}
	var path []spot
	for range 15 {
		path = append(path, spot{0.45, 0.5}, spot{0.55, 0.5})
	}
	events, tracker := walkThrough(Places{Lines: []Line{line}}, noon, path...)
	last := events[len(events)-1].After
	if n := len(last.Crossings); n != mostCrossings || last.Crossings[n-1].Count != 15 || last.Crossings[n-1].Frame != 29 {
		t.Errorf("%d crossings, %+v", n, last.Crossings[n-1])
	}
	if c := tracker.crossed.counted(); len(c) != 2 || c[0].Count != 15 || c[1].Count != 14 {
		t.Errorf("%+v", c)
	}
	// What was told before does not change with what comes after.
	if c := events[1].After.Crossings; len(c) != 1 || c[0].Frame != 1 || events[2].Before != events[1].After {
		t.Errorf("%+v", c)
	}
}

// TestALineBalances counts both directions of any walk: they differ by at most one, by which side it
// ended on, however it trembles. The line spans the picture.
func TestALineBalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Float64Range(0.01, 0.99)
		line := Line{Name: "l", From: Point{share.Draw(t, "from"), 0}, To: Point{share.Draw(t, "to"), 1}}
		var s side
		net, first, last := 0, 0.0, 0.0
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			foot := spot{share.Draw(t, "x"), share.Draw(t, "y")}
			switch s.update(line, foot, 60, 200, 100) {
			case event.LeftToRight:
				net++
			case event.RightToLeft:
				net--
			}
			if beside := line.beside(foot, 200, 100); max(beside, -beside) >= 3 {
				if first == 0 {
					first = beside
				}
				last = beside
			}
		}
		want := 0
		if first < 0 && last > 0 {
			want = 1
		} else if first > 0 && last < 0 {
			want = -1
		}
		if net != want {
			t.Fatalf("net %d, want %d", net, want)
		}
	})
}

func TestFollowingObjectsThroughPlacesAllocatesOnlyForWhatIsTold(t *testing.T) {
	tracker := NewTracker("gate", TrackConfig{Update: time.Hour})
	tracker.Watch(Places{Zones: []Zone{square("yard"), square("lawn")}, Lines: []Line{{Name: "l", From: Point{0, 0.5}, To: Point{1, 0.5}}}}, 768, 576)
	n := int64(0)
	boxes := crowd(0)
	step := func() { tracker.Update(n, at(n), boxes); n++ }
	for range 10 {
		step()
	}
	if a := testing.AllocsPerRun(50, step); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}

func TestEachMistakeInPlacesIsNamed(t *testing.T) {
	good := Places{Zones: []Zone{square("yard")}, Lines: []Line{{Name: "gate", From: Point{0, 0}, To: Point{1, 1}}}, RequiredZones: []string{"yard"}}
	good.Problems(func(field, message, _ string) { t.Errorf("%s %s", field, message) })
	zone := func(change func(*Zone)) Places {
		z := square("yard")
		change(&z)
		return Places{Zones: []Zone{z}}
	}
	for want, p := range map[string]Places{
		"zones.0.name is missing":                                                 zone(func(z *Zone) { z.Name = "" }),
		"zones.0.polygon has 2 points":                                            zone(func(z *Zone) { z.Polygon = z.Polygon[:2] }),
		"zones.0.polygon.1 1.25 is outside":                                       zone(func(z *Zone) { z.Polygon[1] = Point{0.75, 1.25} }),
		"zones.0.polygon.2 has 1 numbers":                                         zone(func(z *Zone) { z.Polygon[2] = Point{0.5} }),
		"zones.0.polygon crosses itself: the sides from point 0 and from point 2": zone(func(z *Zone) { z.Polygon = []Point{{0, 0}, {1, 1}, {1, 0}, {0, 1}} }),
		"zones.0.polygon crosses itself":                                          zone(func(z *Zone) { z.Polygon = append(z.Polygon, z.Polygon[0]) }),
		"zones.0.inertia -1":                                                      zone(func(z *Zone) { z.Inertia = -1 }),
		"zones.0.loitering_seconds -1":                                            zone(func(z *Zone) { z.LoiteringSeconds = -1 }),
		`zones.1.name "yard" names another`:                                       {Zones: []Zone{square("yard"), square("yard")}},
		`lines.0.name "yard" names another`:                                       {Zones: []Zone{square("yard")}, Lines: []Line{{Name: "yard", From: Point{0, 0}, To: Point{1, 1}}}},
		"lines.0.from has 0 numbers":                                              {Lines: []Line{{Name: "a", To: Point{1, 1}}}},
		"lines.0.to NaN is outside":                                               {Lines: []Line{{Name: "a", From: Point{0, 0}, To: Point{math.NaN(), 1}}}},
		"lines.0.to is where the line begins":                                     {Lines: []Line{{Name: "a", From: Point{1, 1}, To: Point{1, 1}}}},
		`required_zones.0 "pond" is no zone`:                                      {RequiredZones: []string{"pond"}},
	} {
		var told []string
		p.Problems(func(field, message, hint string) {
			if hint == "" {
				t.Errorf("%s: no word on what to do", field)
			}
			told = append(told, field+" "+message)
		})
		if len(told) != 1 || !strings.HasPrefix(told[0], want) {
			t.Errorf("%q, want %q", told, want)
		}
	}
}

func TestBatchesSayWhichZonesAndLinesTheCameraHas(t *testing.T) {
	b := newBatch("gate", Model{}, BatchConfig{Frames: 64}, Places{
		Zones: []Zone{{Name: "drive", Polygon: []Point{{0, 0.5}, {1, 0.5}, {0.25, 1}}}}, Lines: []Line{{Name: "door", From: Point{0.5, 0}, To: Point{0.5, 1}}}})
	data, err := b.end(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"zones":[{"name":"drive","points":[[0,0.5],[1,0.5],[0.25,1]]}]`, `"lines":[{"name":"door","points":[[0.5,0],[0.5,1]]}]`} {
		if !strings.Contains(string(data), want) {
			t.Fatalf("%s does not say %s", data, want)
		}
	}
}
