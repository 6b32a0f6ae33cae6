package trial

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The child of these tests does as it is told.
func init() {
	Serve("tests", func(questions *json.Decoder, answers *json.Encoder) error {
		for {
			var q string
			if err := questions.Decode(&q); err != nil {
				return err
			}
			switch q {
			case "hang":
				for range 2 { // a child of the child, which is to go with it
					exec.Command("sleep", "1000").Start()
				}
				time.Sleep(time.Hour)
			case "turn":
				//lint:ignore SA5002 it turns until it is ended
				for {
				}
			case "grow":
				var held [][]byte
				for {
					block := make([]byte, 1<<20)
					for i := range block {
						block[i] = 1
					}
					//lint:ignore SA4010 it is there to take memory
					held = append(held, block)
				}
			case "kill":
				p, _ := os.FindProcess(os.Getpid())
				p.Kill()
				time.Sleep(time.Hour)
			case "say":
				os.Stderr.WriteString("\x1b[31mterminate called\n\nsecond\u202e line\nPC=0x1\n")
				os.Exit(7)
			case "environment":
				q = strings.Join(os.Environ(), "\n")
			}
			if err := answers.Encode(q); err != nil {
				return err
			}
		}
	})
}

func child(t *testing.T) *Child {
	t.Helper()
	c, err := Start(Limits{For: "tests", CPU: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAChildAnswersUntilItDies(t *testing.T) {
	t.Setenv("CANVAS_PASSWORD", "secret")
	c := child(t)
	var got string
	for _, q := range []string{"one", "two"} {
		if err := c.Ask(t.Context(), q, &got, Bounds{Wall: time.Minute}); err != nil || got != q {
			t.Fatal(got, err)
		}
	}
	if err := c.Ask(t.Context(), "environment", &got, Bounds{}); err != nil || strings.Contains(got, "secret") || strings.Contains(got, marker) {
		t.Errorf("it knows %q: %v", got, err)
	}
	for q, says := range map[string]string{
		"hang": "no answer within", "turn": "computed for more than", "grow": "more than 200 MB of memory", "kill": "died of SIGKILL", "say": "ended without an answer ([31mterminate called; second line)",
	} {
		c := child(t)
		if err := c.Ask(t.Context(), "one", &got, Bounds{}); err != nil {
			t.Fatal(err)
		}
		b := Bounds{Wall: time.Minute, CPU: 30 * time.Second, Memory: 200e6}
		switch q {
		case "hang":
			b.Wall = 300 * time.Millisecond
		case "turn":
			b.CPU = 300 * time.Millisecond
		}
		var died *Failure
		if err := c.Ask(t.Context(), q, &got, b); !errors.As(err, &died) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", q, err, says)
		}
		if err := c.Ask(t.Context(), "one", &got, Bounds{}); err == nil {
			t.Errorf("%s: it lives", q)
		}
	}
}

func TestAStopTakesTheChildAndItsChildrenAlong(t *testing.T) {
	c := child(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	var got string
	if err := c.Ask(ctx, "hang", &got, Bounds{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for len(inGroup(c.cmd.Process.Pid)) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%v of its group live", inGroup(c.cmd.Process.Pid))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// inGroup are the living processes of a process group.
func inGroup(group int) (pids []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 2 && fields[2] == itoa(group) && fields[0] != "Z" {
			pids = append(pids, path)
		}
	}
	return pids
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestATrialIsWrittenDownBeforeItBegins(t *testing.T) {
	l := Journal{Dir: filepath.Join(t.TempDir(), "trials")}
	e := Entry{Model: "m", Version: "2", SHA256: strings.Repeat("a", 64), Engine: "opencv-cpu", Key: "k"}
	if was := l.Find(e); was.Outcome != "" {
		t.Fatalf("%+v", was)
	}
	if err := l.Begin(e); err != nil {
		t.Fatal(err)
	}
	if was := l.Find(e); was.Outcome != "" || was.Cut != 0 {
		t.Errorf("it is under way in a process that lives: %+v", was)
	}
	other := e
	other.Engine = "onnxruntime-cpu"
	if was := l.Find(other); was.Outcome != "" {
		t.Errorf("another engine: %+v", was)
	}

	left := func(change func(*Entry)) {
		was, _ := l.read(e)
		change(&was)
		if err := l.write(was); err != nil {
			t.Fatal(err)
		}
	}
	// A program that was killed is no fault of the model's, one that dies of it each time is.
	left(func(e *Entry) { e.Began = "1" }) // another process had this number
	if was := l.Find(e); was.Outcome != "" || was.Cut != 1 {
		t.Errorf("killed once: %+v", was)
	}
	left(func(e *Entry) { e.Cut = 2 })
	for range 2 {
		if was := l.Find(e); was.Outcome != Refused || !strings.Contains(was.Reason, "died 3 times") {
			t.Errorf("%+v", was)
		}
	}
	// A loss of power is no fault of the model's, two of them are.
	left(func(e *Entry) { e.Outcome, e.Boot, e.Cut = UnderWay, "another", 0 })
	was := l.Find(e)
	if was.Outcome != "" || was.Cut != 1 {
		t.Errorf("%+v", was)
	}
	e.Cut = was.Cut
	if err := l.Begin(e); err != nil {
		t.Fatal(err)
	}
	left(func(e *Entry) { e.Boot = "another" })
	if was := l.Find(e); was.Outcome != Refused || !strings.Contains(was.Reason, "went down 2 times") {
		t.Errorf("%+v", was)
	}
	if err := l.Settle(e, Passed, ""); err != nil || l.Find(e).Outcome != Passed {
		t.Error(err)
	}
	l.Drop(e)
	if was := l.Find(e); was.Outcome != "" {
		t.Errorf("%+v", was)
	}
	for _, text := range []string{"", "{", `{"sha256":"b"}`, "null"} {
		if err := os.WriteFile(l.Path(e), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if was := l.Find(e); was.Outcome != "" {
			t.Errorf("%q is believed: %+v", text, was)
		}
	}
}

func TestTheLedgerIsBounded(t *testing.T) {
	l := Journal{Dir: t.TempDir()}
	for n := range kept + 10 {
		if err := os.WriteFile(filepath.Join(l.Dir, itoa(n)+".tried"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Begin(Entry{SHA256: "x"}); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(l.Dir, "*.tried")); len(files) != kept {
		t.Errorf("%d files", len(files))
	}
	if was, ok := l.read(Entry{SHA256: "x"}); !ok || was.Outcome != UnderWay {
		t.Errorf("%+v", was)
	}
}
