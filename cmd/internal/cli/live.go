package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"cloudcanvas/shared/visible"
)

// TopCommand is `top`: what a program's last look shows, live. open gives the look; it is handed what it saw
// last, from which it takes rates.
func TopCommand[L any](usage string, open func(c *cli.Context) (look func(ctx context.Context, last L) (now L, text string), err error)) *cli.Command {
	return &cli.Command{Name: "top", Usage: usage,
		Flags: []cli.Flag{&cli.DurationFlag{Name: "every", Value: 2 * time.Second, Usage: "look again after `TIME`"}},
		Action: func(c *cli.Context) error {
			every := c.Duration("every")
			if every < 200*time.Millisecond {
				return Usagef("--every %s: use 200ms or more", every)
			}
			look, err := open(c)
			if err != nil {
				return err
			}
			var last L
			return Live(c.Context, os.Stdin, os.Stdout, every, func(ctx context.Context) (text string) {
				last, text = look(ctx, last)
				return text
			})
		}}
}

// Live shows what draw gives on a terminal, anew every so often, until q, Ctrl-C or the end of ctx.
// Where out is no terminal it is printed once. draw is called by one goroutine at a time; its lines
// are cut to the terminal's width and height, of which it hears.
func Live(ctx context.Context, in, out *os.File, every time.Duration, draw func(ctx context.Context) string) error {
	if !terminal(out) {
		_, err := io.WriteString(out, draw(ctx))
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	if restore, err := keys(in); err == nil {
		go func() {
			defer close(ended)
			awaitQuit(ctx, in)
			stop()
		}()
		defer func() { stop(); <-ended; restore() }()
	} else { // nobody can press q: Ctrl-C ends it
		close(ended)
	}
	const begin, end = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l" // another screen without a cursor, and back
	if _, err := io.WriteString(out, begin); err != nil {
		return err
	}
	defer io.WriteString(out, end)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		text := draw(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if _, err := io.WriteString(out, frame(text, sizeOf(out))); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// frame is text as it overwrites the screen: from the top left, each line cut and cleared to its end.
// What of it is not to be seen, and may come from other machines, is shown and does nothing.
func frame(text string, s size) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if more := len(lines) - s.rows; more > 0 {
		lines = append(lines[:s.rows-1], fmt.Sprintf("… %d more lines", more+1))
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(cutLine(line, s.columns))
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	return b.String()
}

func cutLine(line string, columns int) string { return visible.Cut(visible.Text(line), columns) }

type size struct{ columns, rows int }

// sizeOf is the terminal's size; 80 x 24 where it does not say.
func sizeOf(f *os.File) size {
	w, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || w.Col < 2 || w.Row < 2 {
		return size{80, 24}
	}
	return size{int(w.Col), int(w.Row)}
}

func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// keys has a terminal give keys as they are pressed, and not show them. Ctrl-C stays a signal. A read
// that finds no key ends after a tenth of a second.
func keys(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("ask the terminal for keys: %w", err)
	}
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 0, 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &now); err != nil {
		return nil, fmt.Errorf("ask the terminal for keys: %w", err)
	}
	return func() { unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}

// awaitQuit returns when q was pressed, or Ctrl-C or Ctrl-D where they are no signals, and when ctx ends.
func awaitQuit(ctx context.Context, in *os.File) {
	key := make([]byte, 1)
	for ctx.Err() == nil {
		n, err := in.Read(key)
		if err != nil && !errors.Is(err, io.EOF) { // EOF is a read without a key
			return
		}
		if n == 1 && strings.ContainsRune("qQ\x03\x04", rune(key[0])) {
			return
		}
	}
}
