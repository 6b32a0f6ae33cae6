package crashguard

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/cespare/xxhash/v2"
	"github.com/google/renameio/v2"
)

// run is one run of the process, as the next one finds it.
type run struct {
	ID       string `json:"id"`
	Boot     string `json:"boot"`     // of the machine
	Stopping bool   `json:"stopping"` // it was asked to stop
	Memory   kills  `json:"memory"`   // what the kernel had counted when something was last tried alone
}

// end is how a process ended, by what that says of the inputs in native code.
type end string

const (
	endClean   end = "stopped" // it ended by itself, or was asked to stop: nothing
	endPower   end = "power"   // the machine went down: nothing
	endKilled  end = "killed"  // SIGKILL from outside, or exit() in a library: nothing
	endUnknown end = "unknown" // killed, where the kernel does not say whether for memory: hardly anything
	endGo      end = "panic"   // a panic or a fatal error of Go's: much, to the input whose goroutine it was
	endMemory  end = "memory"  // killed by the kernel for memory: much
	endCrashed end = "crashed" // a signal in native code: much
)

// proof says whether a process that ended so has died of itself.
func (e end) proof() bool { return e == endGo || e == endMemory || e == endCrashed }

const (
	runFile   = "life" // the name on disks since earlier programs
	crashFile = "crash"
)

// howItEnded evaluates the last run by what it left behind. now is what the kernel counts now.
func howItEnded(last *run, boot, crash string, now kills) end {
	switch {
	case last == nil:
		return endClean
	case last.Boot != boot:
		return endPower
	case inNativeCode(crash):
		return endCrashed
	case crash != "":
		return endGo
	case now.since(last.Memory):
		return endMemory
	case last.Stopping:
		return endClean // the service manager's SIGKILL after its patience
	case !now.Known || !last.Memory.Known:
		return endUnknown
	}
	return endKilled
}

// inNativeCode says whether Go's crash report is of a signal that Go did not make a panic of,
// which it does of those in its own code.
func inNativeCode(crash string) bool {
	first, _, _ := strings.Cut(crash, "\n")
	return strings.HasPrefix(first, "SIG") || strings.Contains(first, "unexpected signal")
}

// ofGoroutine says whether a crash report of Go's is about that goroutine, or one that it began: the
// first trace of a report is of the one that failed.
func ofGoroutine(crash string, number uint64) bool {
	at := strings.Index("\n"+crash, "\ngoroutine ")
	if at < 0 || number == 0 {
		return false
	}
	trace, _, _ := strings.Cut(crash[at:], "\n\n")
	name := "goroutine " + strconv.FormatUint(number, 10)
	return strings.HasPrefix(trace, name+" ") || strings.Contains(trace, " in "+name+"\n") || strings.HasSuffix(trace, " in "+name)
}

// goroutine is the number of the one that asks, as crash reports name it.
func goroutine() uint64 {
	var room [64]byte
	text, _ := strings.CutPrefix(string(room[:runtime.Stack(room[:], false)]), "goroutine ")
	number, _, _ := strings.Cut(text, " ")
	n, _ := strconv.ParseUint(number, 10, 64)
	return n
}

// why is a crash report in one line: the signal, and the function of the native library.
func why(crash string) string {
	first, rest, _ := strings.Cut(crash, "\n")
	first = strings.TrimSpace(first)
	lines := bufio.NewScanner(strings.NewReader(rest))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, _, found := strings.Cut(lines.Text(), "("); found && strings.Contains(name, "._Cfunc_") {
			return first + " in " + name[strings.LastIndexByte(name, '/')+1:]
		}
	}
	return first
}

const maxCrash = 64 << 10 // of a crash report is read

func readCrash(folder string) string {
	f, err := os.Open(filepath.Join(folder, crashFile))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxCrash))
	return string(bytes.ToValidUTF8(b, []byte("?")))
}

func readRun(folder string) *run {
	b, err := os.ReadFile(filepath.Join(folder, runFile))
	var r run
	if err != nil || json.Unmarshal(b, &r) != nil || r.ID == "" {
		return nil
	}
	return &r
}

// begin starts a run: its file, and Go's crash report beside it.
func (r run) begin(folder string) error {
	if err := r.write(folder); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(folder, crashFile))
	if err != nil {
		return err
	}
	defer f.Close() // the runtime keeps a descriptor of its own
	return debug.SetCrashOutput(f, debug.CrashOptions{})
}

func (r run) write(folder string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(folder, runFile), b, 0o600)
}

func newRun(k kills) run { return run{ID: rand.Text(), Boot: bootID(), Memory: k} }

// bootID tells one boot of the machine from the next; empty where the kernel doesn't say.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// inMemory is the filesystem on which notes cost a flash card nothing.
const inMemory = "/dev/shm"

// notesFolder makes the folder of the notes: the configured one, else one in memory that is ours
// alone, else one inside dir.
func notesFolder(configured, dir string) (string, error) {
	if configured != "" {
		return configured, os.MkdirAll(configured, 0o700)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(inMemory, fmt.Sprintf("canvas-attempts-%x", xxhash.Sum64String(abs)))
	// Everyone may write in /dev/shm: a folder or link that another made there is not used.
	if err := os.Mkdir(folder, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
		info, err := os.Lstat(folder)
		if err == nil && info.IsDir() && info.Mode().Perm() == 0o700 && owner(info) == os.Getuid() {
			return folder, nil
		}
	}
	folder = filepath.Join(dir, "notes")
	return folder, os.MkdirAll(folder, 0o700)
}

func owner(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}

// end notes a clean end: with the run's file gone, no input becomes a suspect.
func (r run) end(folder string) error {
	err := debug.SetCrashOutput(nil, debug.CrashOptions{})
	err = errors.Join(err, clearNotes(folder), os.Remove(filepath.Join(folder, crashFile)))
	os.Remove(folder) // where nothing else is in it
	return err
}
