package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// openTerminal is a pseudo terminal of 80 x 24: what a program has, and what a person has of it.
func openTerminal(t *testing.T) (program, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	return program, person
}

func TestALiveViewIsDrawnAnewUntilQAndLeavesTheTerminalAsItWas(t *testing.T) {
	program, person := openTerminal(t)
	before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	var drawn atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- Live(t.Context(), program, program, 10*time.Millisecond, func(context.Context) string { return fmt.Sprintf("view %d\n", drawn.Add(1)) })
	}()
	shown, pressed := "", false
	for buffer := make([]byte, 4096); ; {
		n, err := person.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(buffer[:n])
		if !pressed && strings.Contains(shown, "view 3") {
			pressed = true
			if _, err := person.WriteString("xq"); err != nil {
				t.Fatal(err)
			}
		}
		if strings.Contains(shown, "\x1b[?1049l") {
			break
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS); err != nil || after.Lflag != before.Lflag {
		t.Errorf("the terminal's flags were %x and are %x: %v", before.Lflag, after.Lflag, err)
	}
	if strings.Contains(shown, "xq") {
		t.Error("keys are shown")
	}
}

func TestALiveViewEndsWithItsContext(t *testing.T) {
	program, person := openTerminal(t)
	go func() {
		for buffer := make([]byte, 4096); ; {
			if _, err := person.Read(buffer); err != nil {
				return
			}
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	if err := Live(ctx, program, program, time.Hour, func(context.Context) string { cancel(); return "once" }); err != nil {
		t.Error(err)
	}
}

func TestWithoutATerminalALiveViewIsPrintedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Live(t.Context(), f, f, time.Millisecond, func(context.Context) string { return "one\ntwo\n" }); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "one\ntwo\n" {
		t.Errorf("%q %v", b, err)
	}
}

func TestAFrameFitsTheTerminal(t *testing.T) {
	text := strings.Repeat(strings.Repeat("ü", 200)+"\x1b[31m\a\n", 100)
	f := frame(text, size{80, 24})
	lines := strings.Split(strings.TrimSuffix(strings.TrimPrefix(f, "\x1b[H"), "\x1b[J"), "\r\n")
	if len(lines) != 24 || !strings.Contains(lines[23], "77 more lines") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\x1b[K")); n > 80 {
			t.Errorf("a line of %d columns", n)
		}
		if strings.ContainsAny(strings.TrimSuffix(line, "\x1b[K"), "\x1b\a") {
			t.Errorf("control characters of the text reach the terminal: %q", line)
		}
	}
	if f := frame("short\n", size{80, 24}); f != "\x1b[Hshort\x1b[K\x1b[J" {
		t.Errorf("%q", f)
	}
}
