package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/soak"
)

// soon is within what what is said of a camera must be so; denial is what must lie between two logins of
// a user who was refused.
const soon, denial = 10 * time.Second, time.Minute

// faults are the ways in which a camera fails.
var faults = []fault{
	{name: "freeze", frozen: true},
	{name: "other size", other: true},
	{name: "other size after a restart", other: true, shut: true},
	{name: "clock an hour ahead", jump: 3600 * 90000},
	{name: "clock a day back", jump: -24 * 3600 * 90000},
	{name: "wrong password", password: true, shut: true},
	{name: "404", missing: true, shut: true},
	{name: "slow pictures", every: 2500 * time.Millisecond},
	{name: "slow answers", late: 5 * time.Second, shut: true},
	{name: "garbage in the stream", garbled: true},
	{name: "garbage for RTSP", noise: true, shut: true},
	{name: "off", off: true, shut: true},
	{name: "restart", shut: true},
}

func named(name string) fault {
	for _, f := range faults {
		if f.name == name {
			return f
		}
	}
	return fault{name: "well"}
}

// act is a fault and how long it lasts.
type act struct {
	fault
	lasts time.Duration
}

// acts are half an hour of all in any order, or a minute of the commonest, each for as long as it takes to
// be told.
func acts(t *testing.T) (all []act) {
	if !soak.Timed() {
		for _, name := range []string{"other size", "clock a day back", "freeze", "well", "404", "wrong password"} {
			all = append(all, act{named(name), 2 * time.Second})
		}
		return all
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for total := time.Duration(0); total < 30*time.Minute; {
		for _, n := range random.Perm(len(faults)) {
			one := act{faults[n], 13*time.Second + time.Duration(random.Int64N(int64(17*time.Second)))}
			if one.password {
				one.lasts += time.Duration(random.Int64N(int64(100 * time.Second)))
			}
			all = append(all, one)
			total += one.lasts
			if random.IntN(2) == 0 {
				all = append(all, act{named("well"), 14*time.Second + time.Duration(random.Int64N(int64(6*time.Second)))})
				total += all[len(all)-1].lasts
			}
		}
	}
	return all
}

// TestWhatIsSaidOfACameraThatFailsIsTrue lets a camera fail in every way and holds what the device's
// broker retains, the status at the cloud's broker and the console against what the camera does.
func TestWhatIsSaidOfACameraThatFailsIsTrue(t *testing.T) {
	t.Parallel()
	program(t, "canvas-edge")
	camera := startFaultyCamera(t)
	f := newFleet(t, startBrokers(t))
	config, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.config, "%sconsole: {data: %q}\n", config, filepath.Join(f.dir, "console"))
	f.cloud(t, "bridge", "bridge-1")
	visitor := newPeople(t, f.config)
	here := brokertest.StartMosquitto(t)
	edge := f.device(t, "mast", fmt.Sprintf("local: {url: %q}\ncameras: [{name: gate, address: %q, detector: opencv_hog_people}]\n", here.URL, camera.url()))
	j := &expect{t: t, camera: camera, shows: time.Now(), sized: time.Now(), worst: map[string]time.Duration{}, wrong: map[string]int{}}
	local, cloud := listen(t, here.URL, "canvas/#"), listen(t, f.brokers.mqtt, event.StatusTopic("mast"))
	j.sources = []source{
		{"the device's broker", func() (s event.CameraState, ok bool) {
			return s, local.payload("canvas/available") == "online" && json.Unmarshal([]byte(local.payload("canvas/gate/status/camera")), &s) == nil
		}},
		{"the cloud's broker", func() (s event.CameraState, ok bool) {
			var status event.Status
			if json.Unmarshal([]byte(cloud.payload(event.StatusTopic("mast"))), &status) != nil || status.Status != event.Online || len(status.Cameras) != 1 {
				return s, false
			}
			return status.Cameras[0], true
		}},
		{"the console", func() (event.CameraState, bool) { return ofConsole(visitor.url) }},
	}
	until(t, 2*time.Minute, "a camera that is up everywhere", func() bool {
		for _, s := range j.sources {
			if said, ok := s.ask(); !ok || said.Phase != "up" {
				return false
			}
		}
		return true
	})
	for _, a := range acts(t) {
		j.begin(a.fault)
		late := time.Now().Add(2 * time.Minute)
		for end := time.Now().Add(a.lasts); time.Now().Before(end) || !soak.Timed() && !j.told(); time.Sleep(200 * time.Millisecond) {
			if j.look(); time.Now().After(late) && !soak.Timed() {
				t.Fatalf("%q is not told: %v", a.name, j.right)
			}
		}
		j.settle()
		select {
		case <-edge.done:
			t.Fatal("the device has ended")
		default:
		}
	}
	j.sum()
}

func ofConsole(url string) (event.CameraState, bool) {
	answer, err := http.Get(url + "/api/v1/cameras/mast/gate")
	if err != nil {
		return event.CameraState{}, false
	}
	defer answer.Body.Close()
	var said struct {
		State  string
		Device *event.CameraState
	}
	if json.NewDecoder(answer.Body).Decode(&said) != nil || said.Device == nil {
		return event.CameraState{}, false
	}
	said.Device.Phase = said.State
	return *said.Device, true
}

// source is where somebody looks who wants to know how the camera is.
type source struct {
	name string
	ask  func() (event.CameraState, bool)
}

// judge holds what is said against what is true.
type expect struct {
	t       *testing.T
	camera  *faultyCamera
	sources []source

	is     fault
	began  time.Time // of the fault
	shows  time.Time // since when whoever connects sees pictures; zero: nobody does
	sized  time.Time // since when they have their size
	before bool      // there were pictures before the fault, and that was said

	right   map[string]time.Duration // what each source took to be right, of this fault
	worst   map[string]time.Duration
	wrong   map[string]int  // looks
	blamed  map[string]bool // of this fault
	changes int
	looks   int
}

func (j *expect) begin(f fault) {
	now := time.Now()
	j.before = !j.shows.IsZero() && j.told()
	switch {
	case !f.shows():
		j.shows = time.Time{}
	case j.shows.IsZero() || f.shut:
		j.shows = now
	}
	if f.other {
		j.sized = now
	}
	j.is, j.began, j.right, j.blamed = f, now, map[string]time.Duration{}, map[string]bool{}
	j.changes++
	j.camera.becomes(f)
}

// told says that every source says what is true.
func (j *expect) told() bool { return len(j.right) == len(j.sources) }

// allowed is when the camera must be seen again: where a login was refused, not before the next may be.
func (j *expect) allowed() time.Time {
	at := j.shows.Add(soon + j.is.slack())
	if all := j.camera.logins(); len(all) > 0 {
		if next := all[len(all)-1].Add(denial + 3*time.Second + soon + j.is.slack()); next.After(at) {
			at = next
		}
	}
	return at
}

// fits says whether that is what is true now; must says that it has to be by now.
func (j *expect) fits(s event.CameraState) (fits, must bool) {
	now := time.Now()
	if !j.shows.IsZero() {
		w, h := j.camera.size()
		return s.Phase == "up" && s.Width == w && s.Height == h, now.After(j.allowed()) && now.After(j.sized.Add(soon))
	}
	reason := map[string]string{"wrong password": "password", "404": "path"}[j.is.name]
	if j.is.frozen && j.before {
		reason = "no picture came"
	}
	denied := strings.Contains(s.Problem, "password") && j.is.name != "wrong password"
	fits = s.Phase != "up" && (strings.Contains(s.Problem, reason) || denied) // one that was refused is not tried, and its state says so
	return fits, now.After(j.began.Add(soon))
}

func (j *expect) look() {
	j.looks++
	for _, source := range j.sources {
		s, ok := source.ask()
		fits, must := j.fits(s)
		if fits = fits && ok; fits {
			if _, known := j.right[source.name]; !known {
				j.right[source.name] = time.Since(j.began)
			}
			continue
		}
		delete(j.right, source.name)
		if must && soak.Timed() {
			if j.wrong[source.name]++; !j.blamed[source.name] {
				j.blamed[source.name] = true
				j.t.Errorf("%s after %q: %s says %+v (%v)", time.Since(j.began).Round(100*time.Millisecond), j.is.name, source.name, s, ok)
			}
		}
	}
}

// settle notes how long it took until each source was right for good. What had to wait for its next login
// has its own limit.
func (j *expect) settle() {
	var took []string
	for _, s := range j.sources {
		d, known := j.right[s.name]
		word := d.Round(100 * time.Millisecond).String()
		if !known {
			word = "never"
		}
		took = append(took, s.name+" "+word)
		if known && (j.shows.IsZero() || j.allowed().Sub(j.shows) <= soon+j.is.slack()) {
			j.worst[s.name] = max(j.worst[s.name], d-j.is.slack())
		}
	}
	j.t.Logf("%s for %s: right after: %s", j.is.name, time.Since(j.began).Round(time.Second), strings.Join(took, ", "))
}

func (j *expect) sum() {
	all := j.camera.logins()
	least := time.Duration(0)
	for n := 1; n < len(all); n++ {
		if gap := all[n].Sub(all[n-1]); least == 0 || gap < least {
			least = gap
		}
		if gap := all[n].Sub(all[n-1]); gap < denial {
			j.t.Errorf("two refused logins within %s", gap)
		}
	}
	if len(all) == 0 {
		j.t.Error("no login was refused")
	}
	j.t.Logf("%d changes, %d looks at each of %d places; wrong after the limit: %v; the slowest to be right: %v; %d refused logins, the closest two %s apart",
		j.changes, j.looks, len(j.sources), j.wrong, j.worst, len(all), least)
}
