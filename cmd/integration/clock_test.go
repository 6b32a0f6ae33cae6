package integration

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/soak"
)

// wrongClock builds canvas-edge with a clock that is wrong by $CANVAS_CLOCK_OFFSET seconds: Go reads
// the clock past every preloaded library, and Linux's time namespaces leave the wall clock alone, so
// the standard library's own time.Now is overlaid.
func wrongClock(t testing.TB) string {
	t.Helper()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	original := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Skipf("the standard library's source is not here: %v", err)
	}
	const reads = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), reads) != 1 {
		t.Skip("this Go reads the clock in another way")
	}
	text := strings.Replace(string(source), reads, reads+"\tsec += wrongBy\n", 1) + `
var wrongBy = func() (seconds int64) {
	text, _ := syscall.Getenv("CANVAS_CLOCK_OFFSET")
	past := len(text) > 0 && text[0] == '-'
	for _, digit := range []byte(text) {
		if digit != '-' {
			seconds = seconds*10 + int64(digit-'0')
		}
	}
	if past {
		return -seconds
	}
	return seconds
}()
`
	if !strings.Contains(text, "\t\"syscall\"\n") {
		text = strings.Replace(text, "import (\n", "import (\n\t\"syscall\"\n", 1)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: write(t, filepath.Join(dir, "time.go"), "%s", text)}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "canvas-edge")
	build := exec.Command("go", "build", "-overlay", write(t, filepath.Join(dir, "overlay.json"), "%s", overlay),
		"-ldflags", os.Getenv("CANVAS_LDFLAGS"), "-o", path, "./cmd/canvas-edge")
	build.Dir = root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestAClockThatIsWrongByYearsChangesNeitherOrderNorIdentity runs one device in 1990, then in 2066,
// then at the right time, killed in between.
func TestAClockThatIsWrongByYearsChangesNeitherOrderNorIdentity(t *testing.T) {
	if !soak.Asked() {
		t.Skip("it builds the standard library anew, which takes minutes: set CANVAS_SOAK, or run make soak")
	}
	program := wrongClock(t)
	s := newSite(t)
	config := s.configure("")
	load := s.readings(300, 2)
	var years []int
	for i, offset := range []time.Duration{-36 * 365 * 24 * time.Hour, 40 * 365 * 24 * time.Hour, 0} {
		t.Setenv("CANVAS_CLOCK_OFFSET", fmt.Sprint(int64(offset.Seconds())))
		s.edge = startAt(t, program, "canvas-edge", "--config", config, "run")
		s.awaitAnswer()
		before := s.must().received
		until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > before+100 })
		years = append(years, time.Now().Add(offset).Year())
		if i < 2 {
			s.edge.kill(t)
		}
	}
	load.stop()
	_, l := s.balance(time.Minute)
	items := slices.DeleteFunc(l.items, func(i event.Item) bool { return i.Kind != event.Reading })
	slices.SortFunc(items, func(a, b event.Item) int { return cmp.Compare(a.Seq, b.Seq) })
	ids, seen := map[ulid.ULID]bool{}, map[int]bool{}
	last := -1.0
	for _, i := range items {
		var d event.ReadingData
		decodeJSON(t, i.Data, &d)
		if d.Values["n"] <= last {
			t.Fatalf("item %d is reading %v, after %v", i.Seq, d.Values["n"], last)
		}
		last = d.Values["n"]
		ids[i.ID] = true
		seen[i.Time.Year()] = true
	}
	if len(ids) != len(items) {
		t.Errorf("%d ids of %d items", len(ids), len(items))
	}
	for _, year := range years {
		if !seen[year] {
			t.Errorf("no item says %d: the clock was not wrong", year)
		}
	}
}
