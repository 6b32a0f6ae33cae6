// Package trial runs what may crash, never end or take all memory in a child process first: the same
// program, started again, with bounds of time and memory. What a child was asked is written down before
// it is (Journal), so that nothing takes a process down twice.
//
//	parent ── question ─▶ child (limits, watched) ── answer ─▶ parent
//	   │                    └─ dies, hangs, grows: Failure, and it is gone with its children
//	   └─ journal: under way ─▶ passed or refused
package trial

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// marker is the variable that tells a program that it is a child; it holds the Limits.
const marker = "CANVAS_TRIAL_CHILD"

// Limits hold for a child's whole life; the kernel keeps them.
type Limits struct {
	For  string        `json:"for"` // whose questions they are: what Serve was called with
	CPU  time.Duration `json:"cpu"`
	Data int64         `json:"data"` // bytes of memory asked for, used or not; 0: no limit (GPU drivers ask for very much)
}

// Bounds hold for one question; the parent keeps them.
type Bounds struct {
	CPU    time.Duration // of all its threads
	Wall   time.Duration
	Memory int64 // resident bytes
}

// Failure is why a child did not answer.
type Failure struct{ How string }

func (d *Failure) Error() string { return d.How }

// Serve does nothing in a program that is no child, or one for another's questions. In a child it answers
// questions until there are no more, and ends the process. It stands in an init of the package that asks, so that every program that
// can ask can answer, tests among them: one that could not would start itself over and over.
func Serve(whose string, answer func(questions *json.Decoder, answers *json.Encoder) error) {
	text, ok := os.LookupEnv(marker)
	if !ok {
		return
	}
	var l Limits
	err := json.Unmarshal([]byte(text), &l)
	if err == nil && l.For != whose {
		return
	}
	os.Unsetenv(marker)
	if err == nil {
		l.hold()
	}
	syscall.CloseOnExec(answersAt)
	out := os.NewFile(answersAt, "answers")
	if err == nil && out == nil {
		err = errors.New("the pipe for answers is missing")
	}
	if err == nil {
		err = answer(json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(out))
		runtime.KeepAlive(out) // a child that computes for long must not have its pipe closed meanwhile
	}
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "trial:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// answersAt is the descriptor that a child writes answers to: native libraries write to stdout.
const answersAt = 3

// GivenAt is the descriptor of the first file that a child was given at its start.
const GivenAt = answersAt + 1

// What a child may write to files, which is next to nothing, and how much it gives way to what runs.
const (
	mostWritten = 64 << 20
	niceness    = 5
)

// hold sets the limits that the kernel keeps. A container may not allow it: then the parent's checks are all
// there is.
func (l Limits) hold() {
	set := func(what int, n uint64) { unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}) }
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_FSIZE, mostWritten)
	if l.CPU > 0 {
		set(unix.RLIMIT_CPU, uint64(l.CPU/time.Second)+1)
	}
	if l.Data > 0 {
		set(unix.RLIMIT_DATA, uint64(l.Data))
	}
	// Where memory runs out all the same, the child is to go and not what it was started by.
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0o600)
	unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
}

// Child is a process that answers questions, one at a time.
type Child struct {
	cmd       *exec.Cmd
	questions *os.File
	answers   *bufio.Reader
	read      *os.File
	stderr    *firstLines
	ended     chan struct{} // closed when the process has been waited for
}

// Start starts this very program as a child, with these files from GivenAt on.
func Start(l Limits, given ...*os.File) (*Child, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	in, questions, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answers, out, err := os.Pipe()
	if err != nil {
		in.Close()
		questions.Close()
		return nil, err
	}
	c := &Child{questions: questions, read: answers, answers: bufio.NewReader(answers), stderr: &firstLines{}, ended: make(chan struct{})}
	c.cmd = exec.Command("/proc/self/exe")
	c.cmd.Args = []string{"canvas-trial"}
	c.cmd.Env = append(passed(os.Environ()), marker+"="+string(text), "GOTRACEBACK=none")
	c.cmd.Dir = "/" // no file's name is taken to lie where the parent happens to stand
	c.cmd.Stdin, c.cmd.Stderr, c.cmd.ExtraFiles = in, c.stderr, append([]*os.File{out}, given...)
	c.cmd.WaitDelay = time.Second
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread ends that started the child: it stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.wait()
		}
		close(c.ended)
	}()
	err = <-started
	in.Close()
	out.Close()
	if err != nil {
		questions.Close()
		answers.Close()
		return nil, fmt.Errorf("starting a process for a trial: %w", err)
	}
	return c, nil
}

// passed is what of the environment a child needs to find libraries and devices. Passwords and addresses
// stay behind.
func passed(environment []string) []string {
	kept := []string{"PATH=", "HOME=", "TMPDIR=", "CANVAS_HOME=", "LD_LIBRARY_PATH=", "GDAL_DATA=", "PROJ_", "GPU_", "CUDA_", "NVIDIA_", "OPENCV_", "OMP_", "ORT_", "GOMAXPROCS=", "GOCOVERDIR="}
	return slices.DeleteFunc(slices.Clone(environment), func(v string) bool {
		return !slices.ContainsFunc(kept, func(k string) bool { return strings.HasPrefix(v, k) })
	})
}

// Ask puts a question and waits for the answer, both as JSON. Where there is none the child is gone, and
// the error is a *Failure, or the context's.
func (c *Child) Ask(ctx context.Context, question, answer any, b Bounds) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	answered := make(chan error, 1)
	go func() {
		_, err := c.questions.Write(append(text, '\n'))
		var line []byte
		if err == nil {
			line, err = readLine(c.answers, maxAnswer)
		}
		if err == nil {
			err = json.Unmarshal(line, answer)
		}
		answered <- err
	}()
	err = c.watch(ctx, answered, b)
	if err != nil {
		c.Close()
	}
	return err
}

const maxAnswer = 1 << 20

func readLine(r *bufio.Reader, most int) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); err == nil || !errors.Is(err, bufio.ErrBufferFull) || len(line) > most {
			return line, err
		}
	}
}

// checkEvery is how often the time and memory of a child are checked.
const checkEvery = 20 * time.Millisecond

func (c *Child) watch(ctx context.Context, answered <-chan error, b Bounds) error {
	began, before := time.Now(), c.cpu()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-answered:
			if err == nil {
				return nil
			}
			c.kill()
			<-c.ended
			return &Failure{c.exitReason()}
		case <-ctx.Done():
			c.Close()
			<-answered
			return ctx.Err()
		case <-tick.C:
		}
		how := ""
		switch memory := c.memory(); {
		case b.Memory > 0 && memory > b.Memory:
			how = fmt.Sprintf("it took more than %d MB of memory", b.Memory/1e6)
		case b.CPU > 0 && c.cpu()-before > b.CPU:
			how = fmt.Sprintf("it computed for more than %s without an answer", b.CPU.Round(time.Second))
		case b.Wall > 0 && time.Since(began) > b.Wall:
			how = fmt.Sprintf("it gave no answer within %s", b.Wall.Round(time.Second))
		}
		if how != "" {
			c.Close()
			<-answered
			return &Failure{how}
		}
	}
}

// exitReason says how a child ended, whose answers ended. What a signal ends in native code Go says, on
// stderr, before it exits.
func (c *Child) exitReason() string {
	how, words := "it ended without an answer", c.stderr.words()
	if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		how = "it died of " + unix.SignalName(status.Signal())
	} else if strings.Contains(words, "SIG") {
		how = "it crashed"
	}
	if words != "" {
		how += " (" + words + ")"
	}
	return how
}

// wait waits for the child's end. What it has started goes with it, while its number is still taken.
func (c *Child) wait() {
	for unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	c.kill()
	c.cmd.Wait()
}

func (c *Child) kill() { unix.Kill(-c.cmd.Process.Pid, unix.SIGKILL) }

// Close ends the child and what it has started.
func (c *Child) Close() {
	c.questions.Close()
	select {
	case <-c.ended:
	default:
		c.kill()
		<-c.ended
	}
	c.read.Close()
}

// firstLines keeps the first lines of what a child writes to stderr.
type firstLines struct {
	mu   sync.Mutex
	text []byte
}

const mostStderr = 4 << 10

func (s *firstLines) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p[:min(len(p), mostStderr-len(s.text))]...)
	return len(p), nil
}

// words are the lines that say why a process died, shortened and without what a terminal would act on.
func (s *firstLines) words() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []string
	for line := range strings.Lines(string(s.text)) {
		line = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || r == 0xfffd || r >= 0x80 {
				return -1
			}
			return r
		}, line)
		if strings.HasPrefix(line, "PC=") || strings.HasPrefix(line, "goroutine") || len(kept) == 3 {
			break
		}
		if line == "" {
			continue
		}
		kept = append(kept, line[:min(len(line), 160)])
	}
	return strings.Join(kept, "; ")
}
