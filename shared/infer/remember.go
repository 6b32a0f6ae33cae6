package infer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// trialsLast is how long the outcome of a trial is believed. Drivers, clocks and thermals change
// without a version number.
const trialsLast = 30 * 24 * time.Hour

// memory is what an earlier Open found out on this machine about one model file.
type memory struct {
	At     time.Time `json:"at"`
	Engine string    `json:"engine"`
	Ms     float64   `json:"ms"`
	Trials []Trial   `json:"trials"`
}

// DefaultMemory is the folder where trials are remembered unless the configuration says otherwise:
// the service's cache, else the user's; empty where there is neither.
func DefaultMemory() string {
	dir := os.Getenv("CACHE_DIRECTORY")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(user, "cloudcanvas")
	}
	return filepath.Join(dir, "trials")
}

// choose finds the engine for the file: the one that won on this machine before, if it still gives
// the golden case, else the fastest of all.
func (f *file) choose(ctx context.Context, tries []string, l Layout, r *Report) (*candidate, error) {
	path := ""
	if len(tries) > 1 {
		path = f.memoryPath(l)
	}
	if best := f.again(ctx, path, "", l, r); best != nil {
		best.keep()
		return best, nil
	}
	best, reasons := f.fastest(ctx, tries, l, r)
	if best == nil {
		if i := slices.IndexFunc(reasons, func(err error) bool { return errors.Is(err, ErrMisfit) }); i >= 0 {
			return nil, fmt.Errorf("model %s: %w", f.model.Name, errors.Unwrap(reasons[i])) // whatever engine reads it
		}
		// What was tried says more than what is not here.
		slices.SortStableFunc(reasons, func(a, b error) int {
			return cmp.Compare(btoi(errors.Is(a, ErrUnavailable)), btoi(errors.Is(b, ErrUnavailable)))
		})
		return nil, fmt.Errorf("model %s: no engine can run it: %w", f.model.Name, errors.Join(reasons...))
	}
	// Who began beside us and was done first has decided for both: workers of one machine are to give
	// the same bytes, and a busy machine measures badly.
	if other := f.again(ctx, path, r.Engine, l, r); other != nil {
		best.close()
		other.keep()
		return other, nil
	}
	best.keep()
	remember(path, memory{At: time.Now().UTC().Truncate(time.Second), Engine: r.Engine, Ms: r.Ms, Trials: r.Trials})
	return best, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// again opens the engine that is remembered, if it still gives the golden case; nil where none is, or
// only the one that is open already.
func (f *file) again(ctx context.Context, path, open string, l Layout, r *Report) *candidate {
	past, ok := recall(path)
	if !ok || past.Engine == open {
		return nil
	}
	report := Report{Model: r.Model, Version: r.Version}
	best, _ := f.fastest(ctx, []string{past.Engine}, l, &report)
	if best != nil {
		report.Remembered, report.Trials = past.At, past.Trials
		*r = report
	}
	return best
}

// memoryPath names the file for all that the outcome depends on; empty: nothing is remembered.
func (f *file) memoryPath(l Layout) string {
	if l.Remember == "" {
		return ""
	}
	facts := []any{f.identity(onnxRuntime.version(l.Runtime))}
	seen := map[*library]bool{&onnxRuntime: true}
	for _, s := range specs {
		if !seen[s.library] {
			seen[s.library] = true
			facts = append(facts, s.library.version(l.Runtime))
		}
	}
	h := sha256.New()
	fmt.Fprintln(h, append(facts, l.Threads, runtime.GOMAXPROCS(0))...)
	return filepath.Join(l.Remember, f.model.Name+"-"+hex.EncodeToString(h.Sum(nil)[:8])+".json")
}

// identity tells this network, as this machine and that version of ONNX Runtime compute it, from others.
func (f *file) identity(version string) string {
	h := sha256.New()
	fmt.Fprintln(h, f.sum, version, machine())
	if f.model.Int8 != nil {
		json.NewEncoder(h).Encode(f.model.Int8) // another plan is another network
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// machine tells this machine from one that would choose otherwise: its processor, its board, its
// GPU's driver.
func machine() string {
	var all strings.Builder
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, _, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" || strings.TrimSpace(name) == "CPU part" {
				all.WriteString(line)
				break
			}
		}
	}
	for _, path := range []string{"/proc/device-tree/model", "/proc/driver/nvidia/version"} {
		if text, err := os.ReadFile(path); err == nil {
			all.Write(text)
		}
	}
	return all.String()
}

func recall(path string) (memory, bool) {
	var m memory
	if path == "" {
		return m, false
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) > 1<<20 || json.Unmarshal(data, &m) != nil {
		return memory{}, false
	}
	age := time.Since(m.At)
	return m, m.Engine != "" && age >= 0 && age < trialsLast
}

// remember writes whole or not at all. What can't be written is tried again at the next start.
func remember(path string, m memory) {
	if path == "" {
		return
	}
	data, err := json.Marshal(m)
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	renameio.WriteFile(path, data, 0o600)
}
