package integration

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain gives the programs a folder of their own for what they remember of trials: a run that was
// killed leaves nothing for the next one, nor for the user's own programs.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "canvas-cache-")
	if err == nil {
		err = os.Setenv("CACHE_DIRECTORY", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Most of a test's time is waiting, so that a few at once fit on any machine. Where limits on the clock
	// hold, each runs by itself. A -parallel on the command line overrules both.
	if err := flag.Set("test.parallel", fmt.Sprint(rounds(3, 1))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
