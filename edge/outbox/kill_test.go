package outbox

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestNothingAcknowledgedIsLostToSIGKILL commits from a child process, kills it at some moment, and
// counts: every number that the child printed, after its commit returned, must be there.
func TestNothingAcknowledgedIsLostToSIGKILL(t *testing.T) {
	if dir := os.Getenv("OUTBOX_KILL_TEST"); dir != "" {
		commitUntilKilled(dir)
	}
	dir := t.TempDir()
	var last uint64
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestNothingAcknowledgedIsLostToSIGKILL$")
		cmd.Env = append(os.Environ(), "OUTBOX_KILL_TEST="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 20+round*17 && lines.Scan(); n++ {
			last = acknowledged(lines.Text(), last)
		}
		cmd.Process.Kill()
		for lines.Scan() { // what it still said before it died
			last = acknowledged(lines.Text(), last)
		}
		cmd.Wait()
		o := open(t, dir, DefaultConfig())
		s := balanced(t, o)
		if s.Committed < last {
			t.Fatalf("round %d: %d was acknowledged, %d are there", round, last, s.Committed)
		}
		for seq := uint64(1); seq <= s.Committed; seq++ {
			if _, err := o.Load(seq); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		o.Close()
	}
	if last == 0 {
		t.Fatal("the child acknowledged nothing")
	}
}

func acknowledged(line string, last uint64) uint64 {
	if n, err := strconv.ParseUint(strings.TrimPrefix(line, "seq "), 10, 64); err == nil && n > last {
		return n
	}
	return last
}

func commitUntilKilled(dir string) {
	o, err := Open(dir, "mast-7", DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	for {
		items, err := o.Commit(context.Background(), draft(1), draft(2), draft(3))
		if err != nil {
			panic(err)
		}
		fmt.Printf("seq %d\n", items[2].Seq)
	}
}
