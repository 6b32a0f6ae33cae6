package crashguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// open begins a run of the process over a journal's folder.
func open(t testing.TB, dir string, c Config) *Guard {
	t.Helper()
	if c.Notes == "" {
		c.Notes = filepath.Join(dir, "notes")
	}
	l, err := Open(dir, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const segv = "SIGSEGV: segmentation violation\nPC=0x7f sigcode=1\nsignal arrived during cgo execution\n\ngoroutine 7 [syscall]:\nruntime.cgocall(0x1, 0x2)\ngocv.io/x/gocv._Cfunc_Image_IMDecode(0x1)\n"

// die ends a life with inputs in hand: as a crash in native code where there is a report of it, else
// as SIGKILL does.
func die(t testing.TB, l *Guard, report string, inHand ...Input) {
	t.Helper()
	for _, in := range inHand {
		if _, err := l.Begin(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if report != "" {
		if err := os.WriteFile(filepath.Join(l.notes, crashFile), []byte(report), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func try(t testing.TB, l *Guard, in Input) error {
	t.Helper()
	done, err := l.Begin(t.Context(), in)
	if err == nil {
		done()
	}
	return err
}

func picture(name string) Input {
	return Input{Source: "yard", Name: name, Data: []byte("the bytes of " + name)}
}

func TestAnInputThatCrashesTheProcessTwiceIsQuarantinedWithItsBytes(t *testing.T) {
	dir, bad := t.TempDir(), picture("bad.png")
	die(t, open(t, dir, DefaultConfig()), segv, bad)
	second := open(t, dir, DefaultConfig())
	if second.Quarantined() != 0 {
		t.Fatal("quarantined after one death")
	}
	die(t, second, segv, bad)

	third := open(t, dir, DefaultConfig())
	if third.Quarantined() != 1 {
		t.Fatalf("%d quarantined", third.Quarantined())
	}
	err := try(t, third, bad)
	if !errors.Is(err, ErrQuarantined) || !strings.Contains(err.Error(), "gocv._Cfunc_Image_IMDecode") {
		t.Fatalf("got %v", err)
	}
	if err := try(t, third, picture("good.png")); err != nil {
		t.Errorf("a good input: %v", err)
	}
	third.Close()
	if _, err := os.Stat(third.notes); !os.IsNotExist(err) {
		t.Errorf("notes are left behind: %v", err)
	}

	fourth := open(t, dir, DefaultConfig())
	if !errors.Is(try(t, fourth, bad), ErrQuarantined) {
		t.Error("a restart forgot it")
	}
	for _, c := range fourth.quarantine.cases {
		b, err := os.ReadFile(filepath.Join(dir, "quarantine", c.File))
		if err != nil || string(b) != string(bad.Data) || filepath.Ext(c.File) != ".png" {
			t.Errorf("kept %q as %s: %v", b, c.File, err)
		}
		if c.Source != "yard" || c.Name != "bad.png" || c.Deaths != 2 || c.First.IsZero() || !strings.HasPrefix(c.Why, "SIGSEGV") {
			t.Errorf("the case says %+v", c)
		}
	}
}

// TestWhoeverIsInHandBesideASuspectIsSafe dies with many in hand, each time the same ones.
func TestWhoeverIsInHandBesideASuspectIsSafe(t *testing.T) {
	dir, bad := t.TempDir(), picture("bad.png")
	good := []Input{picture("a.png"), picture("b.png"), picture("c.png")}
	die(t, open(t, dir, DefaultConfig()), segv, append(good, bad)...)
	l := open(t, dir, DefaultConfig())
	for _, in := range good {
		if err := try(t, l, in); err != nil {
			t.Fatal(err)
		}
	}
	die(t, l, segv, bad)
	l = open(t, dir, DefaultConfig())
	for _, in := range good {
		if err := try(t, l, in); err != nil {
			t.Errorf("%s: %v", in.Name, err)
		}
	}
	if !errors.Is(try(t, l, bad), ErrQuarantined) {
		t.Error("the bad one goes on")
	}
}

func TestASuspectIsAloneInNativeCode(t *testing.T) {
	dir, bad := t.TempDir(), picture("bad.png")
	die(t, open(t, dir, DefaultConfig()), segv, bad)
	l := open(t, dir, DefaultConfig())
	done, err := l.Begin(t.Context(), picture("a.png"))
	if err != nil {
		t.Fatal(err)
	}
	began := make(chan func())
	go func() {
		done, err := l.Begin(context.Background(), bad)
		if err != nil {
			t.Error(err)
		}
		began <- done
	}()
	select {
	case <-began:
		t.Fatal("it began beside another")
	case <-time.After(20 * time.Millisecond):
	}
	done()
	alone := <-began
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Begin(ctx, picture("b.png")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("another began beside it: %v", err)
	}
	alone()
	if err := try(t, l, picture("b.png")); err != nil {
		t.Fatal(err)
	}
	if len(l.suspects.cases) != 0 {
		t.Error("it is still suspected after it did no harm alone")
	}
}

// TestWhatEndsTheProcessDecidesWhetherItCounts dies again and again with one input in hand.
func TestWhatEndsTheProcessDecidesWhetherItCounts(t *testing.T) {
	stop := func(l *Guard) { l.Stopping() }
	reboot := func(l *Guard) { l.run.Boot = "another boot"; l.run.write(l.notes) }
	leave := func(l *Guard) { l.Close() }
	const own = "goroutine OWN [running]:\nmain.main()\n\ngoroutine 900001 [select]:\nx()\n"
	const begun = "goroutine 900001 [running]:\nx()\ncreated by y in goroutine OWN\n"
	for _, c := range []struct {
		name, report string
		killed       bool // by the kernel, for memory
		mute         bool // the kernel does not count
		before       func(*Guard)
		deaths       int // after which it is quarantined; 0: never
	}{
		{name: "a signal in native code", report: segv, deaths: 2},
		{name: "a signal while the process stops", report: segv, before: stop, deaths: 2},
		{name: "a panic of the goroutine that had it in hand", report: "panic: index out of range\n\n" + own, deaths: 2},
		{name: "a nil pointer in Go", report: "panic: nil pointer dereference\n[signal SIGSEGV: segmentation violation]\n\n" + own, deaths: 2},
		{name: "a panic of a goroutine that it began", report: "panic: index out of range\n\n" + begun, deaths: 2},
		{name: "a panic of another goroutine", report: "panic: no\n\ngoroutine 900001 [running]:\nx()\n\n" + own},
		{name: "no memory", killed: true, deaths: 2},
		{name: "SIGKILL"},
		{name: "SIGKILL where the kernel does not count", mute: true, deaths: mostUnknown},
		{name: "SIGKILL when it was asked to stop", before: stop},
		{name: "a power cut", before: reboot},
		{name: "a clean end", before: leave},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, killed := t.TempDir(), uint64(0)
			config := DefaultConfig()
			config.kernel = func() kills { return kills{Known: !c.mute, Machine: killed} }
			for death := 1; death <= 12; death++ {
				l := open(t, dir, config)
				die(t, l, strings.ReplaceAll(c.report, "OWN", fmt.Sprint(goroutine())), picture("x.png"))
				if c.before != nil {
					c.before(l)
				}
				if c.killed {
					killed++
				}
				l = open(t, dir, config)
				guilty := l.Quarantined() == 1
				l.Close()
				if want := c.deaths != 0 && death >= c.deaths; guilty != want {
					t.Fatalf("after %d deaths quarantined: %v", death, guilty)
				}
				if guilty {
					return
				}
			}
		})
	}
}

// TestNobodyIsToBlameWhoWasNotAlone dies of one death only, where that is enough, with others in hand.
func TestNobodyIsToBlameWhoWasNotAlone(t *testing.T) {
	dir, config := t.TempDir(), DefaultConfig()
	config.Deaths = 1
	die(t, open(t, dir, config), segv, picture("a.png"), picture("b.png"))
	l := open(t, dir, config)
	if l.Quarantined() != 0 || len(l.LastEnd().Alone) != 0 || l.LastEnd().End != "crashed" {
		t.Fatalf("%d quarantined, %+v", l.Quarantined(), l.LastEnd())
	}
	die(t, l, segv, picture("a.png"))
	if l = open(t, dir, config); l.Quarantined() != 1 || len(l.LastEnd().Alone) != 1 {
		t.Fatalf("%d quarantined, %+v", l.Quarantined(), l.LastEnd())
	}
}

// TestWhatTheKernelKillsElsewhereSaysNothing has it kill before the input is tried alone, and then somebody
// kills the process.
func TestWhatTheKernelKillsElsewhereSaysNothing(t *testing.T) {
	dir, killed := t.TempDir(), uint64(7)
	config := DefaultConfig()
	config.kernel = func() kills { return kills{Known: true, Machine: killed} }
	for range 5 {
		l := open(t, dir, config)
		killed++
		in := picture("x.png")
		in.Alone = true
		die(t, l, "", in)
	}
	if l := open(t, dir, config); l.Quarantined() != 0 || l.LastEnd().End != "killed" {
		t.Fatalf("%d quarantined, %+v", l.Quarantined(), l.LastEnd())
	}
}

func TestInputsThatGoInTogetherAreSuspectedTogether(t *testing.T) {
	dir := t.TempDir()
	keyed := func(n string) Input { in := picture(n); in.Key = n; return in }
	l := open(t, dir, DefaultConfig())
	if _, err := l.BeginAll(t.Context(), keyed("a"), keyed("b")); err != nil {
		t.Fatal(err)
	}
	die(t, l, segv)
	l = open(t, dir, DefaultConfig())
	if !l.Suspect("a") || !l.Suspect("b") || l.Suspect("c") {
		t.Error("not both are suspected")
	}
	l.Forget("a")
	if l.Suspect("a") {
		t.Error("it is not forgotten")
	}
	var none *Guard
	done, err := none.BeginAll(t.Context(), keyed("a"))
	if err != nil || none.Suspect("a") {
		t.Error("without a guard there is something", err)
	}
	done()
}

// TestCasesOfEarlierProgramsAreRead has one as it was written when kills from outside still counted.
func TestCasesOfEarlierProgramsAreRead(t *testing.T) {
	dir, bad := t.TempDir(), picture("bad.png")
	l := open(t, dir, DefaultConfig())
	die(t, l, segv, bad)
	l = open(t, dir, DefaultConfig())
	var c *Case
	for _, c = range l.suspects.cases {
	}
	old := fmt.Sprintf(`{"key":%q,"source":"yard","name":"bad.png","deaths":3,"first":"2026-01-02T03:04:05Z","last":"2026-01-02T03:04:05Z","why":"SIGKILL","bytes":0,"weight":3,"life":"x"}`, c.Key)
	if err := os.WriteFile(filepath.Join(dir, "suspects", c.place()+".json"), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, DefaultConfig())
	if !l.Suspect(c.Key) {
		t.Fatal("it is forgotten")
	}
	die(t, l, segv, bad)
	if l = open(t, dir, DefaultConfig()); l.Quarantined() != 0 {
		t.Error("kills from outside were held against it")
	}
}

func TestWithoutRoomForNotesInputsGoOnUnguarded(t *testing.T) {
	dir := t.TempDir()
	c := DefaultConfig()
	c.Notes = filepath.Join(dir, "notes")
	l := open(t, dir, c)
	l.notes = "/proc/nothing"
	if err := try(t, l, picture("a.png")); err != nil {
		t.Fatal(err)
	}
	if !l.unwritable {
		t.Error("nothing was reported")
	}
}

func TestTheGuardKnowsWhatIsInNativeCodeAndSinceWhen(t *testing.T) {
	l := open(t, t.TempDir(), DefaultConfig())
	if !l.Oldest().IsZero() {
		t.Fatal("something is in hand")
	}
	done, _ := l.Begin(t.Context(), picture("a"))
	if l.Oldest().IsZero() {
		t.Fatal("nothing is in hand")
	}
	done()
	if !l.Oldest().IsZero() {
		t.Fatal("it is still in hand")
	}
}
